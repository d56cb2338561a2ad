package main

import (
	"encoding/json"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

type kubeconfigs struct {
	Files   []string `json:"files"`
	Context string   `json:"context"`
}

type access struct {
	Flat       json.RawMessage `json:"flat"`
	Connection map[string]any  `json:"connection"`
}

func read(asked kubeconfigs) (any, error) {
	rules := &clientcmd.ClientConfigLoadingRules{Precedence: asked.Files}
	loaded, err := rules.Load()
	if err != nil {
		return nil, err
	}
	overrides := &clientcmd.ConfigOverrides{CurrentContext: asked.Context}
	client, err := clientcmd.NewNonInteractiveClientConfig(*loaded, asked.Context, overrides, rules).ClientConfig()
	if err != nil {
		return nil, err
	}
	loaded.CurrentContext = asked.Context
	if err := api.MinifyConfig(loaded); err != nil {
		return nil, err
	}
	if err := api.FlattenConfig(loaded); err != nil {
		return nil, err
	}
	forget(loaded)
	flat, err := flattened(loaded)
	return access{flat, connection(client)}, err
}

// forget leaves out what no connection is made of.
func forget(config *api.Config) {
	config.Extensions = nil
	for _, cluster := range config.Clusters {
		cluster.Extensions = nil
	}
	for _, user := range config.AuthInfos {
		user.Extensions = nil
	}
	for _, context := range config.Contexts {
		context.Extensions = nil
	}
}

func flattened(config *api.Config) (json.RawMessage, error) {
	yaml, err := clientcmd.Write(*config)
	if err != nil {
		return nil, err
	}
	again, err := clientcmd.Load(yaml)
	if err != nil {
		return nil, err
	}
	return json.Marshal(again)
}

func connection(client *rest.Config) map[string]any {
	return map[string]any{
		"host":     client.Host,
		"name":     client.ServerName,
		"insecure": client.Insecure,
		"ca":       client.CAData,
		"caFile":   client.CAFile,
		"token":    client.BearerToken,
		"tokenOf":  client.BearerTokenFile,
		"user":     client.Username,
		"password": client.Password,
		"as":       client.Impersonate.UserName,
		"exec":     client.ExecProvider != nil,
	}
}
