package config

import (
	"strings"
	"testing"
)

func TestImagesAreTakenForOthers(t *testing.T) {
	c, err := Parse("runner.yml", []byte(`image-aliases:
  golang:*: mirror.corp/golang:*
  golang:1.26*: mirror.corp/go/*-slim
  golang:1.26.1: ghcr.io/team/go
  node*: mirror.corp/anything
`))
	if err != nil {
		t.Fatal(err)
	}
	for ref, want := range map[string]string{
		"aws/codebuild/standard:7.0": "public.ecr.aws/codebuild/standard:7.0",
		"aws/codebuild":              "",
		"golang:1.25":                "mirror.corp/golang:1.25",
		"golang:1.26.3":              "mirror.corp/go/.3-slim",
		"golang:1.26.1":              "ghcr.io/team/go",
		"node:22":                    "mirror.corp/anything",
		"python:3.14":                "",
		"":                           "",
	} {
		if got := c.ImageFor(ref); got != want {
			t.Errorf("for %q %q is taken, want %q", ref, got, want)
		}
	}
	off, err := Parse("runner.yml", []byte("image-aliases: {'aws/codebuild/*': 'aws/codebuild/*'}\n"))
	if err != nil || off.ImageFor("aws/codebuild/standard:7.0") != "" {
		t.Errorf("the default cannot be switched off: %v", err)
	}
}

func TestAliasesThatMeanNothingAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"{'*': a}":              `"*" is no image to replace`,
		"{'a*b': c}":            `"a*b" is no image to replace`,
		"{a: ''}":               `"" is no image`,
		"{'a*': 'b**'}":         "is no image",
		"{'a*': '-b'}":          "is no image",
		"{a: 'b*'}":             "has none that it could stand for",
		"{'a b': c}":            "is no image to replace",
		"{'aws/codebuild/*': }": "has no value",
		"[a]":                   "must be a mapping",
	} {
		_, err := Parse("runner.yml", []byte("slots: 1\nimage-aliases:\n  "+text+"\n"))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "runner.yml:3:") {
			t.Errorf("%s: %v; want %q", text, err, want)
		}
	}
}
