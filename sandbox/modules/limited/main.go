// Command limited is an OCI runtime that hands over to runc after it has taken CAP_SYS_RESOURCE out of what the
// container, or the process that joins it, asks for. Where root itself lacks that capability, runc refuses every
// privileged container ("unable to apply caps"); a container manager that names this program as its runtime works.
//
// The arguments are those of runc: https://github.com/opencontainers/runc/blob/v1.1.5/man/runc.8.md
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

const withheld = "CAP_SYS_RESOURCE"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "limited: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if path, inside := specification(args); path != "" {
		if err := withhold(path, inside); err != nil {
			return err
		}
	}
	runc, err := exec.LookPath("runc")
	if err != nil {
		return err
	}
	return syscall.Exec(runc, append([]string{"runc"}, args...), os.Environ())
}

// specification gives the file that says what the command starts, and the key in it that holds the process
// (none where the file is the process). The path is empty for commands that start nothing.
func specification(args []string) (path, inside string) {
	for _, arg := range args {
		switch arg {
		case "create", "run":
			bundle := option(args, "--bundle", "-b")
			if bundle == "" {
				bundle = "."
			}
			return filepath.Join(bundle, "config.json"), "process"
		case "exec":
			return option(args, "--process", "-p"), ""
		}
	}
	return "", ""
}

func option(args []string, names ...string) string {
	for i, arg := range args {
		for _, name := range names {
			if arg == name && i+1 < len(args) {
				return args[i+1]
			}
			if value, found := strings.CutPrefix(arg, name+"="); found {
				return value
			}
		}
	}
	return ""
}

func withhold(path, inside string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var document map[string]any
	decoder := json.NewDecoder(bytes.NewReader(content))
	// Limits such as 2^63-1 do not survive a float.
	decoder.UseNumber()
	if err := decoder.Decode(&document); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	process := document
	if inside != "" {
		process, _ = document[inside].(map[string]any)
	}
	capabilities, _ := process["capabilities"].(map[string]any)
	for set, value := range capabilities {
		names, _ := value.([]any)
		kept := make([]any, 0, len(names))
		for _, name := range names {
			if name != withheld {
				kept = append(kept, name)
			}
		}
		capabilities[set] = kept
	}
	content, err = json.Marshal(document)
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o600)
}
