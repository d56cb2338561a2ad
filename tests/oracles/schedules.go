package main

import (
	"errors"
	"strings"

	"github.com/robfig/cron/v3"
)

// schedule tells whether an API server takes a schedule, and refuses what it does: a time zone in it.
func schedule(text string) (any, error) {
	if strings.Contains(text, "TZ") {
		return nil, errors.New("a schedule may not name its time zone")
	}
	_, err := cron.ParseStandard(text)
	return true, err
}
