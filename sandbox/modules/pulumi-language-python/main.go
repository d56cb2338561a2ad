// Command pulumi-language-python is a language host for Pulumi programs and plugins written in Python: the engine starts
// it, reads a port from it, and calls the service LanguageRuntime there. No module on the Go proxy has one for engines of
// this version.
//
// A program is run by the executor that lies beside this program, a policy pack by the Python SDK's own module for that.
// Both run with the interpreter of the option `virtualenv` in the project file; where that environment is not there, or
// not named, with the one of the variable PULUMI_PYTHON_CMD, or python3.
//
// Unlike the official host, this one never says which plugins a program needs: the sandbox has them installed.
//
// The service: https://github.com/pulumi/pulumi/blob/v3.259.0/proto/pulumi/language.proto
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

const (
	// The executor's exit code for a program that failed and has told the user why.
	told = 32
	// A resource may be large, such as a chart or a file that is inlined.
	longestMessage = 400 << 20
	// How often to look whether the engine is still there.
	lookEvery = time.Minute
	analyzer  = "analyzer"
)

func main() {
	if err := serve(); err != nil {
		fmt.Fprintf(os.Stderr, "pulumi-language-python: %v\n", err)
		os.Exit(1)
	}
}

func serve() error {
	tracing := flag.String("tracing", "", "a Zipkin endpoint, which programs are told")
	// The engine gives these where it shows the logs of its plugins. This one has none.
	flag.Bool("logtostderr", false, "")
	flag.Int("v", 0, "")
	flag.Parse()
	path, err := os.Executable()
	if err != nil {
		return err
	}
	executor := filepath.Join(filepath.Dir(path), "pulumi-language-python-exec")
	if _, err := os.Stat(executor); err != nil {
		return fmt.Errorf("what runs programs does not lie beside this: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(longestMessage), grpc.WaitForHandlers(true))
	pulumirpc.RegisterLanguageRuntimeServer(server, &host{executor: executor, engine: flag.Arg(0), tracing: *tracing})
	if engine := flag.Arg(0); engine != "" {
		go endWith(engine, server)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	return server.Serve(listener)
}

// endWith stops the server, and what it has started, once the engine is gone.
func endWith(engine string, server *grpc.Server) {
	connection, err := grpc.NewClient(engine, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return
	}
	client := grpc_health_v1.NewHealthClient(connection)
	for {
		time.Sleep(lookEvery)
		_, err := client.Check(context.Background(), &grpc_health_v1.HealthCheckRequest{})
		if err != nil && status.Code(err) != codes.Unimplemented {
			server.Stop()
			return
		}
	}
}

type host struct {
	pulumirpc.UnimplementedLanguageRuntimeServer
	executor string
	engine   string
	tracing  string
}

func (*host) Handshake(
	context.Context, *pulumirpc.LanguageHandshakeRequest,
) (*pulumirpc.LanguageHandshakeResponse, error) {
	return &pulumirpc.LanguageHandshakeResponse{}, nil
}

func (*host) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{}, nil
}

func (*host) GetRequiredPackages(
	context.Context, *pulumirpc.GetRequiredPackagesRequest,
) (*pulumirpc.GetRequiredPackagesResponse, error) {
	return &pulumirpc.GetRequiredPackagesResponse{}, nil
}

func (*host) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	// Each call ends what it started when the engine gives it up.
	return &emptypb.Empty{}, nil
}

// Run runs a program; its output is this program's, which the engine shows.
func (h *host) Run(ctx context.Context, request *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	python, err := interpreterOf(request.GetInfo())
	if err != nil {
		return nil, err
	}
	settings := request.GetConfig()
	if settings == nil {
		settings = map[string]string{}
	}
	config, err := json.Marshal(settings)
	if err != nil {
		return nil, err
	}
	secrets, err := json.Marshal(append([]string{}, request.GetConfigSecretKeys()...))
	if err != nil {
		return nil, err
	}
	command := python.command(ctx, os.Environ(), append([]string{h.executor}, h.arguments(request)...)...)
	command.Env = append(command.Env, "PULUMI_CONFIG="+string(config), "PULUMI_CONFIG_SECRET_KEYS="+string(secrets))
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	err = command.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return &pulumirpc.RunResponse{}, nil
	case ctx.Err() != nil:
		// The engine has ended the program, since a resource failed, and has said so.
		return &pulumirpc.RunResponse{Bail: true}, nil
	case !errors.As(err, &exit):
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("the program was not run: %v", err)}, nil
	case exit.ExitCode() == told:
		return &pulumirpc.RunResponse{Bail: true}, nil
	case exit.Exited():
		return &pulumirpc.RunResponse{
			Error: fmt.Sprintf("program exited with non-zero exit code: %d", exit.ExitCode()),
		}, nil
	default:
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("program exited unexpectedly: %v", exit)}, nil
	}
}

func (h *host) arguments(request *pulumirpc.RunRequest) []string {
	var arguments []string
	for _, option := range [][2]string{
		{"monitor", request.GetMonitorAddress()},
		{"engine", h.engine},
		{"project", request.GetProject()},
		{"stack", request.GetStack()},
		{"pwd", request.GetPwd()},
		{"dry_run", fmt.Sprint(request.GetDryRun())},
		{"parallel", fmt.Sprint(request.GetParallel())},
		{"tracing", h.tracing},
		{"organization", request.GetOrganization()},
	} {
		if option[1] != "" {
			arguments = append(arguments, "--"+option[0], option[1])
		}
	}
	entry := request.GetInfo().GetEntryPoint()
	if entry == "" {
		entry = "."
	}
	return append(append(arguments, entry), request.GetArgs()...)
}

// RunPlugin runs a plugin, such as a policy pack, for as long as the engine wants it. Its output goes to the engine.
func (*host) RunPlugin(
	request *pulumirpc.RunPluginRequest, stream grpc.ServerStreamingServer[pulumirpc.RunPluginResponse],
) error {
	info := request.GetInfo()
	python, err := interpreterOf(info)
	if err != nil {
		return err
	}
	folder := info.GetProgramDirectory()
	// The first line that a plugin writes is its port, which must not stay in a buffer.
	arguments := append([]string{"-u", folder}, request.GetArgs()...)
	if request.GetKind() == analyzer {
		arguments = append(append([]string{"-u", "-m", "pulumi.policy"}, request.GetArgs()...), folder)
	}
	command := python.command(stream.Context(), request.GetEnv(), arguments...)
	command.Dir = request.GetPwd()
	// What the plugin writes to either comes from a goroutine of its own, and a stream takes one message at a time.
	var sending sync.Mutex
	send := func(response *pulumirpc.RunPluginResponse) error {
		sending.Lock()
		defer sending.Unlock()
		return stream.Send(response)
	}
	command.Stdout = writer(func(text []byte) error {
		return send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Stdout{Stdout: text}})
	})
	command.Stderr = writer(func(text []byte) error {
		return send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Stderr{Stderr: text}})
	})
	code := 0
	if err := command.Run(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			return fmt.Errorf("the plugin in %s was not run: %w", folder, err)
		}
		code = exit.ExitCode()
	}
	return send(&pulumirpc.RunPluginResponse{Output: &pulumirpc.RunPluginResponse_Exitcode{Exitcode: int32(code)}})
}

// About tells which interpreter runs a program.
func (*host) About(ctx context.Context, request *pulumirpc.AboutRequest) (*pulumirpc.AboutResponse, error) {
	python, err := interpreterOf(request.GetInfo())
	if err != nil {
		return nil, err
	}
	output, err := python.command(ctx, os.Environ(), "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("%s does not tell its version: %w", python.path, err)
	}
	version := strings.TrimPrefix(strings.TrimSpace(string(output)), "Python ")
	return &pulumirpc.AboutResponse{Executable: python.path, Version: version}, nil
}

// GetProgramDependencies lists the packages that are installed for a program.
func (*host) GetProgramDependencies(
	ctx context.Context, request *pulumirpc.GetProgramDependenciesRequest,
) (*pulumirpc.GetProgramDependenciesResponse, error) {
	python, err := interpreterOf(request.GetInfo())
	if err != nil {
		return nil, err
	}
	arguments := []string{"-m", "pip", "list", "--format=json", "--disable-pip-version-check"}
	if !request.GetTransitiveDependencies() {
		arguments = append(arguments, "--not-required")
	}
	output, err := python.command(ctx, os.Environ(), arguments...).Output()
	if err != nil {
		return nil, fmt.Errorf("pip of %s does not list its packages: %w", python.path, err)
	}
	var packages []*pulumirpc.DependencyInfo
	if err := json.Unmarshal(output, &packages); err != nil {
		return nil, fmt.Errorf("pip of %s lists its packages otherwise than expected: %w", python.path, err)
	}
	return &pulumirpc.GetProgramDependenciesResponse{Dependencies: packages}, nil
}

// InstallDependencies makes the environment that the project file names, if need be, and installs requirements.txt.
func (*host) InstallDependencies(
	request *pulumirpc.InstallDependenciesRequest,
	stream grpc.ServerStreamingServer[pulumirpc.InstallDependenciesResponse],
) error {
	output := writer(func(text []byte) error {
		return stream.Send(&pulumirpc.InstallDependenciesResponse{Stdout: text})
	})
	run := func(python interpreter, arguments ...string) error {
		command := python.command(stream.Context(), os.Environ(), arguments...)
		command.Dir = request.GetInfo().GetProgramDirectory()
		command.Stdout, command.Stderr = output, output
		if err := command.Run(); err != nil {
			return fmt.Errorf("%s %s: %w", python.path, strings.Join(arguments, " "), err)
		}
		return nil
	}
	if environment := environmentOf(request.GetInfo()); environment != "" && !isFile(pythonIn(environment)) {
		base, err := ambient()
		if err != nil {
			return err
		}
		if err := run(base, "-m", "venv", environment); err != nil {
			return err
		}
	}
	if !isFile(filepath.Join(request.GetInfo().GetProgramDirectory(), "requirements.txt")) {
		return nil
	}
	python, err := interpreterOf(request.GetInfo())
	if err != nil {
		return err
	}
	return run(python, "-m", "pip", "install", "--disable-pip-version-check", "-r", "requirements.txt")
}

type writer func([]byte) error

func (w writer) Write(text []byte) (int, error) {
	if err := w(text); err != nil {
		return 0, err
	}
	return len(text), nil
}
