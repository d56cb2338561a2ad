// Command oracles answers for the Go packages that the world's tools are made of. It reads one JSON value a line, and
// writes for each one line: an object with the answer, or with the error of the package.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

type oracle func(question json.RawMessage) (any, error)

var oracles = map[string]oracle{
	"ignores":     of(ignored),
	"kubeconfigs": of(read),
	"names":       of(valid),
	"proxies":     of(proxy),
	"references":  of(parse),
	"schedules":   of(schedule),
}

type answer struct {
	Answer any    `json:"answer"`
	Error  string `json:"error"`
}

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "oracles: %v\n", err)
		os.Exit(1)
	}
}

func run(arguments []string, in io.Reader, out io.Writer) error {
	if len(arguments) != 1 || oracles[arguments[0]] == nil {
		return fmt.Errorf("one of %v is wanted", arguments)
	}
	ask := oracles[arguments[0]]
	questions := json.NewDecoder(in)
	buffered := bufio.NewWriter(out)
	answers := json.NewEncoder(buffered)
	for {
		var question json.RawMessage
		if err := questions.Decode(&question); errors.Is(err, io.EOF) {
			return buffered.Flush()
		} else if err != nil {
			return err
		}
		found, err := ask(question)
		given := answer{Answer: found}
		if err != nil {
			given = answer{Error: err.Error()}
		}
		if err := answers.Encode(given); err != nil {
			return err
		}
	}
}

func of[Question any](ask func(Question) (any, error)) oracle {
	return func(raw json.RawMessage) (any, error) {
		var question Question
		if err := json.Unmarshal(raw, &question); err != nil {
			panic(err)
		}
		return ask(question)
	}
}
