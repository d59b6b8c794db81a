package secret_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/fairlead/fairlead/providers/secret"
	"github.com/fairlead/fairlead/spec"
)

// The fixtures are the work of sops 3.13.3, and so are the plain files beside them.
const fixtures = "testdata/sops"

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(fixtures, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// resolveSOPS returns one value of a SOPS file.
func resolveSOPS(t testing.TB, path, key string, data []byte) (string, error) {
	t.Helper()
	r, err := secret.New(secret.Options{AgeIdentities: map[string]string{"": filepath.Join(fixtures, "identity.txt")}})
	if err != nil {
		t.Fatal(err)
	}
	values, err := r.Resolve(t.Context(), []*spec.Secret{{Name: "x", SOPS: &spec.SOPS{Path: path, Key: key, Data: data}}})
	if err != nil {
		return "", err
	}
	return values["x"].Reveal(), nil
}

func TestValuesOfSOPSFiles(t *testing.T) {
	for _, c := range []struct{ file, key, want string }{
		{"db.yaml", "name", "digits"},
		{"db.yaml", "db.password", value},
		{"db.yaml", "db.pass.word", "dotted"},
		{"db.yaml", "db.port", "5432"},
		{"db.yaml", "db.ratio", "0.25"},
		{"db.yaml", "db.big", "100000000000000000000"},
		{"db.yaml", "db.tls", "true"},
		{"db.yaml", "db.off", "false"},
		{"db.yaml", "db.since", "2026-03-03T14:00:00Z"},
		{"db.yaml", "db.text", "one\ntwo\n"},
		{"db.yaml", "hosts.0", "a.example.com"}, // behind a comment
		{"db.yaml", "hosts.1.keys.2", "3"},
		{"db.yaml", "hosts.2", "7"},
		{"db.yaml", "quoted", "5432"},
		{"db.yaml", "umlaut", `Grüße, 世界 é "quotes" \ back`},
		{"db.json", "db.password", value},
		{"db.json", "db.big", "9007199254740993"},
		{"db.json", "db.ratio", "1.5"},
		{"db.json", "db.html", "<a&b>"},
		{"db.json", "hosts.1.x.2.0", "false"},
		{"db.json", "e", "1000"},
		{"db.env", "PASSWORD", value},
		{"db.env", "LINES", "one\ntwo"},
		{"db.env", "EQUALS", "a=b=c"},
		{"token.bin", "data", value + "\x01\n\nend\n"},
		{"token.bin", "", value + "\x01\n\nend"},
		{"encrypted_regex.yaml", "db.password", value},
		{"encrypted_regex.yaml", "hosts.1.keys.0", "x"},
		{"encrypted_suffix.yaml", "db.pass.word", "dotted"},
		{"unencrypted_regex.json", "db.password", value},
		{"unencrypted_suffix.env", "PASSWORD", value},
		{"maconly.yaml", "db.password", value},
		{"several.yaml", "db.password", value},
		{"both.yaml", "password", value},
	} {
		got, err := resolveSOPS(t, c.file, c.key, fixture(t, c.file))
		if err != nil || got != c.want {
			t.Errorf("%s, %s: got %q, %v; want %q", c.file, c.key, got, err, c.want)
		}
	}
}

// TestWholeSOPSFiles compares with what sops decrypt wrote.
func TestWholeSOPSFiles(t *testing.T) {
	for _, file := range []string{
		"db.yaml", "db.json", "db.env", "encrypted_regex.yaml", "encrypted_suffix.yaml", "maconly.yaml",
		"several.yaml", "both.yaml", "unencrypted_regex.json", "unencrypted_suffix.env",
	} {
		got, err := resolveSOPS(t, file, "", fixture(t, file))
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		parse := map[string]func(string) any{".yaml": parsedYAML, ".json": parsedJSON, ".env": withoutComments}[filepath.Ext(file)]
		if want := string(fixture(t, "plain/"+file)); parse(got) == nil || !reflect.DeepEqual(parse(got), parse(want)) {
			t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
		}
		if strings.HasSuffix(got, "\n") || strings.Contains(got, "ENC[") || strings.Contains(got, "sops") {
			t.Errorf("%s: got\n%s", file, got)
		}
	}
}

func parsedYAML(text string) any {
	var out any
	if yaml.Unmarshal([]byte(text), &out) != nil {
		return nil
	}
	return out
}

func parsedJSON(text string) any {
	var out any
	if json.Unmarshal([]byte(text), &out) != nil {
		return nil
	}
	return out
}

func withoutComments(text string) any {
	return strings.TrimSpace(regexp.MustCompile(`(?m)^#.*\n`).ReplaceAllString(text, ""))
}

func TestANameThatSaysNothingIsNoObstacle(t *testing.T) {
	for path, file := range map[string]string{"db.yaml.sops": "db.yaml", "secrets/db": "db.json", "env.enc": "db.env"} {
		key := map[string]string{"db.env": "PASSWORD"}[file]
		if key == "" {
			key = "db.password"
		}
		if got, err := resolveSOPS(t, path, key, fixture(t, file)); err != nil || got != value {
			t.Errorf("%s: got %q, %v", path, got, err)
		}
	}
}

// replace changes a fixture where the pattern matches first.
func replace(t *testing.T, name, pattern, with string) []byte {
	t.Helper()
	data, re := fixture(t, name), regexp.MustCompile(pattern)
	at := re.FindSubmatchIndex(data)
	if at == nil {
		t.Fatalf("%s has no %s", name, pattern)
	}
	changed := append([]byte{}, data[:at[0]]...)
	changed = re.Expand(changed, []byte(with), data, at)
	return append(changed, data[at[1]:]...)
}

func TestSOPSFilesThatAreRefused(t *testing.T) {
	const mismatch, moved = "MAC does not match", "changed without sops"
	for name, c := range map[string]struct {
		path, key string
		data      []byte
		want      string
	}{
		"a changed value":          {"db.yaml", "name", replace(t, "db.yaml", `(password: ENC\[AES256_GCM,data:)9`, "${1}A"), `"db.password" ` + "was " + moved},
		"a changed clear value":    {"db.yaml", "name", replace(t, "db.yaml", "eu-1", "eu-2"), mismatch},
		"a value of another key":   {"db.yaml", "name", replace(t, "db.yaml", `user: (.*)\n    password: (.*)\n`, "user: $2\n    password: $1\n"), "moved there"},
		"elements in other order":  {"db.yaml", "name", replace(t, "db.yaml", `(        - .*\n)(        - .*\n)`, "$2$1"), mismatch},
		"a value removed":          {"db.yaml", "name", replace(t, "db.yaml", `    port: .*\n`, ""), mismatch},
		"a value emptied":          {"db.yaml", "db.user", replace(t, "db.yaml", `port: .*\n`, "port: \"\"\n"), mismatch},
		"a clear value added":      {"db.yaml", "name", replace(t, "db.yaml", `region_`, "x_unencrypted: 1\nregion_"), mismatch},
		"a clear value for it":     {"db.yaml", "db.password", replace(t, "db.yaml", `password: .*\n`, "password: "+value+"\n"), "not encrypted, and should be"},
		"a value made a comment":   {"db.yaml", "name", replace(t, "db.yaml", `type:float`, "type:comment"), mismatch},
		"another type":             {"db.yaml", "name", replace(t, "db.yaml", `type:float`, "type:int"), moved},
		"an unknown type":          {"db.yaml", "name", replace(t, "db.yaml", `type:float`, "type:xyz"), moved},
		"a changed MAC":            {"db.yaml", "name", replace(t, "db.yaml", `(mac: ENC\[AES256_GCM,data:)n`, "${1}A"), "MAC is missing or was changed"},
		"no MAC":                   {"db.yaml", "name", replace(t, "db.yaml", `    mac: .*\n`, ""), "MAC is missing or was changed"},
		"an empty MAC":             {"db.yaml", "name", replace(t, "db.yaml", `    mac: .*\n`, "    mac: \"\"\n"), "MAC is missing or was changed"},
		"another time":             {"db.yaml", "name", replace(t, "db.yaml", `2026-11-21T16`, "2026-11-22T16"), "MAC is missing or was changed"},
		"no time":                  {"db.yaml", "name", replace(t, "db.yaml", `2026-11-21T16`, "yesterday"), "no time"},
		"MAC of encrypted only":    {"db.yaml", "name", replace(t, "db.yaml", `    version:`, "    mac_only_encrypted: true\n    version:"), mismatch},
		"MAC of all":               {"maconly.yaml", "db.password", replace(t, "maconly.yaml", `    mac_only_encrypted: true\n`, ""), mismatch},
		"another rule":             {"db.yaml", "name", replace(t, "db.yaml", `unencrypted_suffix: _unencrypted`, "unencrypted_regex: .*"), mismatch},
		"two rules":                {"db.yaml", "name", replace(t, "db.yaml", `    version:`, "    encrypted_regex: .*\n    version:"), "two rules"},
		"a rule that is none":      {"db.yaml", "name", replace(t, "encrypted_regex.yaml", `encrypted_regex: .*`, "encrypted_regex: (x"), "no regular expression"},
		"JSON, a changed value":    {"db.json", "name", replace(t, "db.json", `(?s)("name": "ENC.*?)iv:.`, "${1}iv:="), moved},
		"JSON, a value removed":    {"db.json", "name", replace(t, "db.json", `\t\t"port": .*\n`, ""), mismatch},
		"JSON, a key twice":        {"db.json", "name", replace(t, "db.json", `\t"name"`, "\t\"name\": 1,\n\t\"name\""), `"name" twice`},
		"JSON, more after it":      {"db.json", "name", append(fixture(t, "db.json"), "{}"...), "follows"},
		"dotenv, a changed value":  {"db.env", "USER", replace(t, "db.env", `eu-1`, "eu-2"), mismatch},
		"dotenv, a key twice":      {"db.env", "USER", replace(t, "db.env", `USER=`, "USER=x\nUSER="), `"USER" twice`},
		"dotenv, two MACs":         {"db.env", "USER", append(fixture(t, "db.env"), "sops_mac=x\n"...), `"sops_mac" twice`},
		"dotenv, no key":           {"db.env", "USER", append(fixture(t, "db.env"), value...), "no ="},
		"YAML, a key twice":        {"db.yaml", "name", replace(t, "db.yaml", `quoted:`, "name: x\nquoted:"), `"name" twice`},
		"YAML, an alias":           {"db.yaml", "name", replace(t, "db.yaml", `quoted:`, "a: &a [x]\nb: *a\nquoted:"), "alias"},
		"YAML, a number for a key": {"db.yaml", "name", replace(t, "db.yaml", `quoted:`, "7: x\nquoted:"), "no text"},
		"YAML, deep":               {"x.yaml", "name", []byte("a: " + strings.Repeat("[", 500) + strings.Repeat("]", 500)), "levels deep"},
		"JSON, deep":               {"x.json", "name", []byte(`{"a":` + strings.Repeat("[", 100_000)), "levels deep"},
		"the key damaged":          {"db.yaml", "name", replace(t, "db.yaml", `YWdlLW`, "YWdlLX"), "key of its values cannot be read"},
		"another recipient":        {"other.yaml", "name", fixture(t, "other.yaml"), "other keys than those of this host"},
		"split keys":               {"shamir.yaml", "name", fixture(t, "shamir.yaml"), "Shamir"},
		"PGP":                      {"pgp.yaml", "password", fixture(t, "pgp.yaml"), "encrypted for PGP only"},
		"KMS":                      {"pgp.yaml", "password", replace(t, "pgp.yaml", "    pgp:", "    kms:"), "encrypted for AWS KMS only"},
		"no recipient":             {"x.yaml", "a", []byte("a: b\nsops: {version: 3.13.3}\n"), "no key at all"},
		"rules by comments":        {"comments.yaml", "name", fixture(t, "comments.yaml"), "comments say"},
		"several documents":        {"documents.yaml", "name", fixture(t, "documents.yaml"), "several YAML documents"},
		"INI":                      {"db.ini", "a.b", fixture(t, "db.ini"), "INI"},
		"clear YAML":               {"x.yaml", "password", []byte("password: " + value + "\n"), "not encrypted with SOPS"},
		"clear JSON":               {"x.json", "password", []byte(`{"password": "` + value + `"}`), "not encrypted with SOPS"},
		"a JSON list":              {"x.json", "password", []byte(`["` + value + `"]`), "not encrypted with SOPS"},
		"clear dotenv":             {"x.env", "PASSWORD", []byte("PASSWORD=" + value + "\n"), "not encrypted with SOPS"},
		"nothing":                  {"x.yaml", "password", nil, "not encrypted with SOPS"},
		"no YAML":                  {"x.yaml", "password", []byte("a: [" + value), "no YAML"},
		"no JSON":                  {"x.json", "password", []byte(`{"a": ` + value), "no JSON"},
		"metadata is a value":      {"x.json", "password", []byte(`{"sops": "` + value + `"}`), "key sops is a value"},
		"large":                    {"x.yaml", "password", make([]byte, 5<<20), "4 MiB"},
		"no such value":            {"db.yaml", "db.passwort", fixture(t, "db.yaml"), `no value "db.passwort"`},
		"a group":                  {"db.yaml", "db", fixture(t, "db.yaml"), "group of values"},
		"a list":                   {"db.yaml", "hosts", fixture(t, "db.yaml"), "group of values"},
		"a value in clear":         {"db.yaml", "region_unencrypted", fixture(t, "db.yaml"), "not encrypted in it"},
		"an empty value":           {"db.yaml", "db.empty", fixture(t, "db.yaml"), "not encrypted in it"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := resolveSOPS(t, c.path, c.key, c.data)
			if err == nil {
				t.Fatalf("got %q; want an error", got)
			}
			for _, word := range []string{c.path + ": ", c.want, "; "} {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("got %q; want %q in it", err, word)
				}
			}
			if strings.Contains(err.Error(), value) || strings.Contains(err.Error(), "C4N4RY") || strings.Contains(err.Error(), "ENC[") {
				t.Errorf("the error shows a value: %s", err)
			}
		})
	}
}

// TestOfAFileAnyTamperingIsFound flips every character of every encrypted text, one
// by one.
func TestOfAFileAnyTamperingIsFound(t *testing.T) {
	for file, key := range map[string]string{"db.env": "PASSWORD", "token.bin": "data"} {
		data := fixture(t, file)
		for _, at := range regexp.MustCompile(`(data|iv|tag):[A-Za-z0-9+/]+`).FindAllIndex(data, -1) {
			start, end := at[0]+strings.IndexByte(string(data[at[0]:at[1]]), ':')+1, at[1]
			if strings.HasPrefix(string(data[end:]), "=") {
				end-- // the last character has bits that mean nothing
			}
			for i := start; i < end; i++ {
				changed := append([]byte{}, data...)
				if changed[i] = 'A'; data[i] == 'A' {
					changed[i] = 'B'
				}
				if strings.HasPrefix(lineOf(data, i), "#") {
					continue // comments hold no values
				}
				if got, err := resolveSOPS(t, file, key, changed); err == nil {
					t.Fatalf("%s: with %q for %q at %d it gives %q", file, changed[i], data[i], i, got)
				}
			}
		}
	}
}

// lineOf is the beginning of the line up to a place.
func lineOf(data []byte, at int) string {
	return string(data[strings.LastIndexByte(string(data[:at]), '\n')+1 : at])
}

func TestSOPSWithoutIdentities(t *testing.T) {
	r, err := secret.New(secret.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Resolve(t.Context(), []*spec.Secret{{Name: "x", SOPS: &spec.SOPS{Path: "db.yaml", Key: "name", Data: fixture(t, "db.yaml")}}})
	if err == nil || !strings.Contains(err.Error(), "--age-identity") {
		t.Errorf("got %v", err)
	}
}

// FuzzSOPS: nothing but what sops wrote gives a value, and nothing panics.
func FuzzSOPS(f *testing.F) {
	for _, name := range []string{"db.env", "token.bin"} { // small ones: large inputs keep the fuzzer minimizing
		f.Add(name, "name", fixture(f, name))
	}
	f.Add("x.yaml", "a", []byte("a: !!binary "+base64.StdEncoding.EncodeToString([]byte("x"))+"\nsops: {mac: 1, age: [{enc: x}]}"))
	f.Add("x", "a", []byte("{\"sops\":{\"age\":[{\"enc\":1}]}}"))
	f.Fuzz(func(t *testing.T, path, key string, data []byte) {
		got, err := resolveSOPS(t, path, key, data)
		if err == nil && !strings.Contains(string(data), "ENC[AES256_GCM,") {
			t.Errorf("got %q of a file without an encrypted value", got)
		}
	})
}
