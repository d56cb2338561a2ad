package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// How long a program that is asked to end may take, before it is ended by force.
const patience = 5 * time.Second

// interpreter is a Python, and the virtual environment that it is of (none if empty).
type interpreter struct {
	path        string
	environment string
}

// environmentOf gives the folder that the option `virtualenv` of a project names, relative to the project file.
func environmentOf(info *pulumirpc.ProgramInfo) string {
	name := info.GetOptions().GetFields()["virtualenv"].GetStringValue()
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(info.GetRootDirectory(), name)
}

// interpreterOf gives what a program or a plugin runs with.
func interpreterOf(info *pulumirpc.ProgramInfo) (interpreter, error) {
	environment := environmentOf(info)
	if environment == "" {
		return ambient()
	}
	if python := pythonIn(environment); isFile(python) {
		return interpreter{python, environment}, nil
	}
	if os.Getenv("PULUMI_PYTHON_CMD") != "" {
		return ambient()
	}
	return interpreter{}, fmt.Errorf(
		"there is no virtual environment in %s, which the option `virtualenv` of the project file names; "+
			"`pulumi install` in %s makes it", environment, info.GetRootDirectory())
}

// ambient gives the interpreter that no project names.
func ambient() (interpreter, error) {
	names := []string{"python3", "python"}
	if given := os.Getenv("PULUMI_PYTHON_CMD"); given != "" {
		names = []string{given}
	}
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err == nil || errors.Is(err, exec.ErrDot) {
			return interpreter{path: path}, nil
		}
	}
	return interpreter{}, fmt.Errorf(
		"%s is not on PATH; install Python, or name one in PULUMI_PYTHON_CMD", strings.Join(names, " or "))
}

// command prepares a run with the variables given, in which a virtual environment is active. It ends with the context.
func (i interpreter) command(ctx context.Context, variables []string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, i.path, arguments...)
	command.Env = append([]string{}, variables...)
	if i.environment != "" {
		// Of several with one name, the last one holds.
		command.Env = append(command.Env,
			"VIRTUAL_ENV="+i.environment,
			"PATH="+filepath.Dir(i.path)+string(os.PathListSeparator)+last(variables, "PATH"),
			"PYTHONHOME=",
		)
	}
	// Python ends without a word on this one, wherever it is; an interrupt may come while it ends, and is then shown.
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = patience
	return command
}

func last(variables []string, name string) (value string) {
	for _, variable := range variables {
		if found, ok := strings.CutPrefix(variable, name+"="); ok {
			value = found
		}
	}
	return value
}

func pythonIn(environment string) string {
	return filepath.Join(environment, "bin", "python")
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}
