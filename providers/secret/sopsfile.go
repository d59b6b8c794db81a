package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// maxDepth bounds how deep the values of a SOPS file may lie.
const maxDepth = 100

// document is a SOPS file: its values in their order, which the MAC covers, and
// what SOPS itself wrote into it, by the names that its dotenv format has for them:
// age__list_0__map_enc.
type document struct {
	root     *branch
	metadata map[string]string
}

// node is a *branch, a *list or a *leaf.
type node any

type branch struct{ items []item }

type item struct {
	key   string
	value node
}

type list struct{ items []node }

// leaf is a value: a string, int, float64, bool, []byte, time.Time, comment or nil.
type leaf struct {
	value     any
	encrypted bool // in the file
}

// comment is a comment that SOPS keeps among the elements of a list, where the
// format has no comments.
type comment string

func isComment(n node) bool {
	l, isLeaf := n.(*leaf)
	if !isLeaf {
		return false
	}
	_, yes := l.value.(comment)
	return yes
}

const (
	metadataKey = "sops"
	flatPrefix  = metadataKey + "_"
)

var errNoMetadata = errors.New("no metadata")

// parseSOPS reads a file without decrypting it. Errors of the parsers are not passed
// on: they may quote what they parse.
func parseSOPS(f format, data []byte) (*document, *fault) {
	var d *document
	var err error
	switch f {
	case formatYAML:
		d, err = parseYAML(data)
	case formatDotenv:
		d, err = parseDotenv(data)
	case formatJSON, formatBinary:
		d, err = parseJSON(data)
	}
	shape, isShape := errors.AsType[*shapeError](err)
	switch {
	case err == nil:
		return d, nil
	case errors.Is(err, errNoMetadata):
		return nil, &fault{"it is not encrypted with SOPS: it has no sops metadata", "run sops encrypt --in-place on it, and take its secrets for known"}
	case isShape:
		return nil, &fault{shape.what, "write it with sops, and change it with sops edit only"}
	default:
		return nil, &fault{fmt.Sprintf("it is no %s that can be read", f), "write it with sops, and change it with sops edit only"}
	}
}

// shapeError says what sops would not have written. It quotes no value.
type shapeError struct{ what string }

func (e *shapeError) Error() string { return e.what }

func badShape(format string, args ...any) error {
	return &shapeError{fmt.Sprintf(format, args...)}
}

// add refuses a second item of a key: readers would not agree on which counts.
func (b *branch) add(seen map[string]bool, key string, value node) error {
	if seen[key] {
		return badShape("it has the key %.200q twice", key)
	}
	seen[key] = true
	b.items = append(b.items, item{key, value})
	return nil
}

// withMetadata takes the block of SOPS out of the values.
func withMetadata(root *branch) (*document, error) {
	for i, item := range root.items {
		if item.key != metadataKey {
			continue
		}
		block, isBranch := item.value.(*branch)
		if !isBranch {
			return nil, badShape("its key sops is a value, not what sops writes there")
		}
		d := &document{root: &branch{append(root.items[:i:i], root.items[i+1:]...)}, metadata: map[string]string{}}
		for _, entry := range block.items {
			flatten(d.metadata, entry.key, entry.value)
		}
		return d, nil
	}
	return nil, errNoMetadata
}

func flatten(into map[string]string, name string, n node) {
	switch n := n.(type) {
	case *branch:
		for _, item := range n.items {
			flatten(into, name+"__map_"+item.key, item.value)
		}
	case *list:
		for i, item := range n.items {
			flatten(into, name+"__list_"+strconv.Itoa(i), item)
		}
	case *leaf:
		if n.value != nil {
			into[name] = textOf(n.value)
		}
	}
}

// parseYAML reads with the parser of sops itself: the MAC is over what that takes an
// unquoted value for.
func parseYAML(data []byte) (*document, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var text yaml.Node
	if err := decoder.Decode(&text); errors.Is(err, io.EOF) {
		return nil, errNoMetadata
	} else if err != nil {
		return nil, err
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, badShape("it has several YAML documents")
	}
	if text.Kind != yaml.DocumentNode || len(text.Content) != 1 || text.Content[0].Kind != yaml.MappingNode {
		return nil, errNoMetadata
	}
	root, err := fromYAML(text.Content[0], 0)
	if err != nil {
		return nil, err
	}
	return withMetadata(root.(*branch))
}

func fromYAML(n *yaml.Node, depth int) (node, error) {
	if depth > maxDepth {
		return nil, badShape("its values lie more than %d levels deep", maxDepth)
	}
	switch n.Kind {
	case yaml.MappingNode:
		b, seen := &branch{}, map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			var key any
			if n.Content[i].Kind != yaml.ScalarNode || n.Content[i].Decode(&key) != nil {
				return nil, badShape("line %d has a key that is no text", n.Content[i].Line)
			}
			name, isText := key.(string)
			if !isText {
				return nil, badShape("line %d has a key that is no text", n.Content[i].Line)
			}
			value, err := fromYAML(n.Content[i+1], depth+1)
			if err != nil {
				return nil, err
			}
			if err := b.add(seen, name, value); err != nil {
				return nil, err
			}
		}
		return b, nil
	case yaml.SequenceNode:
		l := &list{}
		for _, element := range n.Content {
			value, err := fromYAML(element, depth+1)
			if err != nil {
				return nil, err
			}
			l.items = append(l.items, value)
		}
		return l, nil
	case yaml.ScalarNode:
		return yamlLeaf(n)
	default: // sops writes out what an alias stands for
		return nil, badShape("line %d has an alias", n.Line)
	}
}

func yamlLeaf(n *yaml.Node) (node, error) {
	var value any
	if n.Decode(&value) != nil {
		return nil, badShape("line %d has a value that is none of its type", n.Line)
	}
	switch value := value.(type) {
	case string, int, float64, bool, time.Time, nil:
		return &leaf{value: value}, nil
	case []byte:
		return &leaf{value: string(value)}, nil
	default:
		return nil, badShape("line %d has a value of a type that sops does not know", n.Line)
	}
}

func parseJSON(data []byte) (*document, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	root, err := fromJSON(decoder, 0)
	if err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, badShape("something follows its JSON")
	}
	b, isBranch := root.(*branch)
	if !isBranch {
		return nil, errNoMetadata
	}
	return withMetadata(b)
}

func fromJSON(decoder *json.Decoder, depth int) (node, error) {
	if depth > maxDepth {
		return nil, badShape("its values lie more than %d levels deep", maxDepth)
	}
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '{' {
			return branchFromJSON(decoder, depth)
		}
		l := &list{}
		for decoder.More() {
			value, err := fromJSON(decoder, depth+1)
			if err != nil {
				return nil, err
			}
			l.items = append(l.items, value)
		}
		_, err := decoder.Token() // the end
		return l, err
	case json.Number:
		if n, err := strconv.Atoi(token.String()); err == nil {
			return &leaf{value: n}, nil
		}
		f, err := token.Float64()
		return &leaf{value: f}, err
	default:
		return &leaf{value: token}, nil // string, bool or nil
	}
}

func branchFromJSON(decoder *json.Decoder, depth int) (node, error) {
	b, seen := &branch{}, map[string]bool{}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		value, err := fromJSON(decoder, depth+1)
		if err != nil {
			return nil, err
		}
		if err := b.add(seen, key.(string), value); err != nil { // an object has no other keys
			return nil, err
		}
	}
	_, err := decoder.Token() // the end
	return b, err
}

func parseDotenv(data []byte) (*document, error) {
	d, seen := &document{root: &branch{}, metadata: map[string]string{}}, map[string]bool{}
	for i, line := range strings.Split(string(data), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, badShape("line %d has no =", i+1)
		}
		value = strings.ReplaceAll(value, `\n`, "\n")
		if name, ours := strings.CutPrefix(key, flatPrefix); ours {
			if _, twice := d.metadata[name]; twice {
				return nil, badShape("it has the key %.200q twice", key)
			}
			d.metadata[name] = value
			continue
		}
		if err := d.root.add(seen, key, &leaf{value: value}); err != nil {
			return nil, err
		}
	}
	if len(d.metadata) == 0 {
		return nil, errNoMetadata
	}
	return d, nil
}
