package main

import (
	"errors"
	"net/netip"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

type name struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
}

var names = map[string]func(string) []string{
	"label":          validation.IsDNS1123Label,
	"subdomain":      validation.IsDNS1123Subdomain,
	"host":           host,
	"label value":    validation.IsValidLabelValue,
	"qualified name": validation.IsQualifiedName,
}

// valid tells whether an API server takes a text as a name of a kind.
func valid(asked name) (any, error) {
	if problems := names[asked.Kind](asked.Text); len(problems) > 0 {
		return nil, errors.New(strings.Join(problems, "; "))
	}
	return true, nil
}

// host is as in validateIngressRules of k8s.io/kubernetes/pkg/apis/networking/validation.
func host(text string) []string {
	if _, err := netip.ParseAddr(text); err == nil {
		return []string{"must be a DNS name, not an IP address"}
	}
	if strings.Contains(text, "*") {
		return validation.IsWildcardDNS1123Subdomain(text)
	}
	return validation.IsDNS1123Subdomain(text)
}
