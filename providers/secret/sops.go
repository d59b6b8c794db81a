package secret

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/fairlead/fairlead/spec"
)

// maxSOPS bounds an encrypted file: base64 makes a value of the largest size a
// third longer, and its neighbours take room as well.
const maxSOPS = 4 << 20

// fromSOPS decrypts a file of the config repo and returns the value that the secret
// names. Nothing is returned of a file whose MAC does not match.
func (k *keyring) fromSOPS(s *spec.SOPS) (string, *fault) {
	value, problem := k.readSOPS(s)
	if problem != nil {
		problem.cause = s.Path + ": " + problem.cause
		return "", problem
	}
	if len(value) > maxValue {
		return "", &fault{s.Path + ": its value is larger than 1 MiB", "use a smaller value"}
	}
	return value, nil
}

func (k *keyring) readSOPS(s *spec.SOPS) (string, *fault) {
	if len(s.Data) > maxSOPS {
		return "", &fault{"the file is larger than 4 MiB", "split it"}
	}
	format, problem := formatOf(s.Path, s.Data)
	if problem != nil {
		return "", problem
	}
	document, problem := parseSOPS(format, s.Data)
	if problem != nil {
		return "", problem
	}
	if problem := k.open(document); problem != nil {
		return "", problem
	}
	if s.Key == "" {
		return document.whole(format)
	}
	return document.value(s.Key)
}

// format is how a SOPS file is written.
type format string

const (
	formatYAML   format = "YAML"
	formatJSON   format = "JSON"
	formatDotenv format = "dotenv"
	formatBinary format = "binary" // JSON, whose one value is the file
)

// formatOf goes by the name as sops does. A name that says nothing, as x.yaml.sops,
// tells by its content.
func formatOf(name string, data []byte) (format, *fault) {
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml":
		return formatYAML, nil
	case ".json":
		return formatJSON, nil
	case ".env":
		return formatDotenv, nil
	case ".ini":
		return "", &fault{"SOPS files in the INI format are not read", "use YAML, JSON, dotenv or binary"}
	}
	text := strings.TrimSpace(string(data))
	switch {
	case strings.HasPrefix(text, "{"):
		return formatBinary, nil
	case strings.Contains(text, "\n"+flatPrefix+"mac="):
		return formatDotenv, nil
	default:
		return formatYAML, nil
	}
}

// value returns one value. It has to be encrypted in the file: what everybody can
// read there is no secret. Nor may it be empty, since SOPS neither encrypts nor
// protects what is.
func (d *document) value(key string) (string, *fault) {
	found := find(d.root, key)
	switch {
	case len(found) == 0:
		return "", &fault{fmt.Sprintf("it has no value %.200q", key), "name it by the keys that lead to it with dots between them, as db.password; elements of lists by their number from 0"}
	case len(found) > 1:
		return "", &fault{fmt.Sprintf("%.200q means two of its values, because keys have dots in them", key), "rename a key"}
	}
	l, isLeaf := found[0].(*leaf)
	switch {
	case !isLeaf:
		return "", &fault{fmt.Sprintf("%.200q is a group of values", key), "name one of them"}
	case !l.encrypted:
		return "", &fault{fmt.Sprintf("%.200q is not encrypted in it", key), "encrypt it: change the rule in .sops.yaml, and run sops updatekeys and sops rotate on the file"}
	case l.value == nil, l.value == "":
		return "", &fault{fmt.Sprintf("%.200q is empty", key), "give it a value with sops edit"}
	}
	return textOf(l.value), nil
}

// find returns the nodes that a key with dots can mean: more than one only where
// keys hold dots themselves.
func find(n node, key string) (found []node) {
	visit := func(name string, child node) {
		if name == key {
			found = append(found, child)
		}
		if rest, below := strings.CutPrefix(key, name+"."); below {
			found = append(found, find(child, rest)...)
		}
	}
	switch n := n.(type) {
	case *branch:
		for _, item := range n.items {
			visit(item.key, item.value)
		}
	case *list:
		at := 0
		for _, item := range n.items {
			if !isComment(item) {
				visit(strconv.Itoa(at), item)
				at++
			}
		}
	}
	return found
}
