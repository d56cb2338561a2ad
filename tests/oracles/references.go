package main

import (
	_ "crypto/sha256" // digests of an algorithm are refused unless it is linked in
	_ "crypto/sha512"

	"github.com/distribution/reference"
)

type parts struct {
	Host   string `json:"host"`
	Path   string `json:"path"`
	Tag    string `json:"tag"`
	Digest string `json:"digest"`
	Full   string `json:"full"`
	Short  string `json:"short"`
}

func parse(text string) (any, error) {
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return nil, err
	}
	found := parts{
		Host:  reference.Domain(named),
		Path:  reference.Path(named),
		Full:  reference.TagNameOnly(named).String(),
		Short: reference.FamiliarString(named),
	}
	if tagged, ok := named.(reference.Tagged); ok {
		found.Tag = tagged.Tag()
	}
	if digested, ok := named.(reference.Digested); ok {
		found.Digest = digested.Digest().String()
	}
	return found, nil
}
