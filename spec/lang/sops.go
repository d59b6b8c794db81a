package lang

import (
	"bytes"
	"encoding/json"
	"path"
	"regexp"
	"strings"

	"github.com/fairlead/fairlead/spec"
)

// maxSOPS is the most bytes of a SOPS file.
const maxSOPS = 1 << 20

// sops names a value in an encrypted file of the repo. Whether it can be decrypted is
// known to the daemon alone; what is checked here is that nobody forgot to encrypt.
func (s section) sops() *spec.SOPS {
	if s.has("key") && !s.has("sops") {
		s.errorf(s.at("key"), "Contradictory arguments", "Only a file encrypted with SOPS has values by key. Remove the argument, or write sops.")
		return nil
	}
	v, ok := s.typed("sops")
	if !ok || v.IsNull() {
		return nil
	}
	name, problem := repoPath(v.AsString())
	if problem != "" {
		s.errorf(s.at("sops"), "Invalid path", "%s", problem)
		return nil
	}
	key := s.str("key")
	if s.has("key") && s.evaluates("key") && (key == "" || strings.HasPrefix(key, ".") || strings.HasSuffix(key, ".") || strings.Contains(key, "..")) {
		s.errorf(s.at("key"), "Invalid key", "A key is the names that lead to the value, with dots between them: \"db.password\". Without the argument the secret is the whole file.")
	}
	file, why := s.ev.content(name, maxSOPS)
	if why != "" {
		s.errorf(s.at("sops"), "No such file", "%s", why)
		return nil
	}
	s.checkEncrypted(name, file.data)
	return &spec.SOPS{Path: name, Key: key, Data: file.data}
}

var (
	sopsYAML   = regexp.MustCompile(`(?m)^["']?sops["']?[ \t]*:`)
	sopsDotenv = regexp.MustCompile(`(?m)^sops_(?:mac|version|age__)`)
)

// checkEncrypted looks for what SOPS leaves in the files that it has encrypted.
func (s section) checkEncrypted(name string, data []byte) {
	encrypted := false
	switch extension := strings.ToLower(path.Ext(name)); extension {
	case ".ini":
		s.errorf(s.at("sops"), "Invalid path", "SOPS files in the INI format are not read. Use YAML, JSON or dotenv.")
		return
	case ".yaml", ".yml":
		encrypted = sopsYAML.Match(data)
	case ".json":
		encrypted = sopsJSON(data)
	case ".env":
		encrypted = sopsDotenv.Match(data)
	default:
		encrypted = sopsJSON(data) || sopsDotenv.Match(data) || sopsYAML.Match(data)
	}
	switch {
	case !encrypted:
		s.errorf(s.at("sops"), "Secret in clear", "The file %q is not encrypted with SOPS. Take what is in it for known to everybody who can read the repo: change those secrets, and run sops encrypt --in-place on the file before it is committed.", name)
	case !bytes.Contains(data, []byte("BEGIN AGE ENCRYPTED FILE")):
		s.errorf(s.at("sops"), "No age recipient", "The file %q is encrypted for keys of other kinds than age, which the daemon has not. Add its public key: sops rotate --in-place --add-age RECIPIENT.", name)
	}
}

func sopsJSON(data []byte) bool {
	var top map[string]json.RawMessage
	return json.Unmarshal(data, &top) == nil && bytes.HasPrefix(bytes.TrimSpace(top["sops"]), []byte("{"))
}
