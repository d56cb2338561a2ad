package main

import (
	"net/url"

	"golang.org/x/net/http/httpproxy"
)

type environment struct {
	HTTP  string `json:"http"`
	HTTPS string `json:"https"`
	No    string `json:"no"`
	URL   string `json:"url"`
}

// proxy tells the address of the proxy for a URL; empty for none.
func proxy(asked environment) (any, error) {
	target, err := url.Parse(asked.URL)
	if err != nil {
		return nil, err
	}
	config := httpproxy.Config{HTTPProxy: asked.HTTP, HTTPSProxy: asked.HTTPS, NoProxy: asked.No}
	found, err := config.ProxyFunc()(target)
	if err != nil || found == nil {
		return "", err
	}
	return found.String(), nil
}
