package cli

import (
	"os"
	"testing"
)

func TestTargetIsADirectoryOrARepositoryAtARevision(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dir := range []string{"specs", "specs@v1", "models/.git"} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for arg, want := range map[string]target{
		"specs":                                  {dir: "specs"},
		"specs@v1":                               {dir: "specs@v1"}, // it exists
		"specs@v2":                               {url: "specs@v2"},
		"models@v2":                              {url: "models", ref: "v2"},
		"./specs@v2":                             {url: "./specs", ref: "v2"},
		"/repos/models.git@main":                 {url: "/repos/models.git", ref: "main"},
		"https://git.example.com/models.git":     {url: "https://git.example.com/models.git"},
		"https://git.example.com/models.git@v1":  {url: "https://git.example.com/models.git", ref: "v1"},
		"https://ann@git.example.com/models.git": {url: "https://ann@git.example.com/models.git"},
		"https://ann@git.example.com/models.git@release/2": {url: "https://ann@git.example.com/models.git", ref: "release/2"},
		"ssh://git@git.example.com:22/models.git@v1":       {url: "ssh://git@git.example.com:22/models.git", ref: "v1"},
		"git@git.example.com:team/models.git":              {url: "git@git.example.com:team/models.git"},
		"git@git.example.com:team/models.git@v1":           {url: "git@git.example.com:team/models.git", ref: "v1"},
		"file:///repos/models@v1":                          {url: "file:///repos/models", ref: "v1"},
		"":                                                 {},
	} {
		if got := parseTarget(arg); got != want {
			t.Errorf("%s: got %+v, want %+v", arg, got, want)
		}
	}
}
