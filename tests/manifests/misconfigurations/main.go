// Command misconfigurations runs Trivy's checks of Kubernetes objects, which are embedded in its module, over the YAML
// files in a folder, and prints what they find as JSON. The whole of Trivy would take many times as long to build.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/aquasecurity/trivy/pkg/iac/rego"
	"github.com/aquasecurity/trivy/pkg/iac/scanners/kubernetes"
)

type finding struct {
	Check    string `json:"check"`
	Severity string `json:"severity"`
	Title    string `json:"title"`
	Message  string `json:"message"`
	File     string `json:"file"`
}

func run(folder string) error {
	scanner := kubernetes.NewScanner(rego.WithEmbeddedPolicies(true), rego.WithEmbeddedLibraries(true))
	results, err := scanner.ScanFS(context.Background(), os.DirFS(folder), ".")
	if err != nil {
		return err
	}
	if len(results.GetPassed()) == 0 {
		return fmt.Errorf("no check passes in %s: either there is nothing in it, or the checks were not loaded", folder)
	}
	found := []finding{}
	for _, result := range results.GetFailed() {
		rule := result.Rule()
		place := result.Metadata().Range()
		found = append(found, finding{
			Check:    rule.ID,
			Severity: string(rule.Severity),
			Title:    rule.Summary,
			Message:  result.Description(),
			File:     place.GetFilename(),
		})
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: misconfigurations FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
