// Command reference_oracle tells what github.com/distribution/reference makes of texts: it reads one JSON string a line
// and writes, for each, one line with a JSON object of its parts and forms, or of the error.
package main

import (
	"bufio"
	_ "crypto/sha256" // digests of an algorithm are refused unless it is linked in
	_ "crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/distribution/reference"
)

type answer struct {
	Host   string `json:"host"`
	Path   string `json:"path"`
	Tag    string `json:"tag"`
	Digest string `json:"digest"`
	Full   string `json:"full"`
	Short  string `json:"short"`
	Error  string `json:"error"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "reference_oracle: %v\n", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	texts := json.NewDecoder(in)
	buffered := bufio.NewWriter(out)
	answers := json.NewEncoder(buffered)
	for {
		var text string
		if err := texts.Decode(&text); errors.Is(err, io.EOF) {
			return buffered.Flush()
		} else if err != nil {
			return err
		}
		if err := answers.Encode(parse(text)); err != nil {
			return err
		}
	}
}

func parse(text string) answer {
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return answer{Error: err.Error()}
	}
	parts := answer{
		Host:  reference.Domain(named),
		Path:  reference.Path(named),
		Full:  reference.TagNameOnly(named).String(),
		Short: reference.FamiliarString(named),
	}
	if tagged, ok := named.(reference.Tagged); ok {
		parts.Tag = tagged.Tag()
	}
	if digested, ok := named.(reference.Digested); ok {
		parts.Digest = digested.Digest().String()
	}
	return parts
}
