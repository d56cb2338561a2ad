package main

import (
	"path"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

type tree struct {
	Rules string   `json:"rules"`
	Paths []string `json:"paths"`
}

// ignored tells of each path whether a build leaves it out, by a walk from folder to folder as BuildKit's is.
func ignored(asked tree) (any, error) {
	patterns, err := ignorefile.ReadAll(strings.NewReader(asked.Rules))
	if err != nil {
		return nil, err
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		return nil, err
	}
	out := make([]bool, len(asked.Paths))
	for index, file := range asked.Paths {
		out[index], _, err = walk(matcher, file)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func walk(matcher *patternmatcher.PatternMatcher, file string) (bool, patternmatcher.MatchInfo, error) {
	above := patternmatcher.MatchInfo{}
	if folder := path.Dir(file); folder != "." {
		_, info, err := walk(matcher, folder)
		if err != nil {
			return false, above, err
		}
		above = info
	}
	return matcher.MatchesUsingParentResults(file, above)
}
