package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// whole is the decrypted file, in its format, without its comments and without a
// final newline, as for other sources.
func (d *document) whole(f format) (string, *fault) {
	if f == formatBinary && len(d.root.items) == 1 && d.root.items[0].key == "data" {
		if l, isLeaf := d.root.items[0].value.(*leaf); isLeaf {
			if text, isText := l.value.(string); isText {
				return withoutNewline(text), nil
			}
		}
	}
	var text string
	var err error
	switch f {
	case formatYAML:
		text, err = d.root.yaml()
	case formatDotenv:
		text = d.root.dotenv()
	case formatJSON, formatBinary:
		text, err = d.root.json()
	}
	if err != nil { // NaN in JSON, which sops cannot have read there
		return "", &fault{fmt.Sprintf("its values cannot be written as %s", f), "name one value by its key"}
	}
	return withoutNewline(text), nil
}

func withoutNewline(text string) string {
	return strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
}

// textOf is a value as text: as it stands in a file, without quotes.
func textOf(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case []byte:
		return string(value)
	case int:
		return strconv.Itoa(value)
	case float64:
		return strconv.FormatFloat(value, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(value)
	case time.Time:
		return value.Format(time.RFC3339Nano)
	default:
		return ""
	}
}

func (b *branch) yaml() (string, error) {
	n, err := toYAML(b)
	if err != nil {
		return "", err
	}
	text, err := yaml.Marshal(n)
	return string(text), err
}

func toYAML(n node) (*yaml.Node, error) {
	switch n := n.(type) {
	case *branch:
		mapping := &yaml.Node{Kind: yaml.MappingNode}
		for _, item := range n.items {
			key, value := &yaml.Node{}, (*yaml.Node)(nil)
			err := key.Encode(item.key)
			if err == nil {
				value, err = toYAML(item.value)
			}
			if err != nil {
				return nil, err
			}
			mapping.Content = append(mapping.Content, key, value)
		}
		return mapping, nil
	case *list:
		sequence := &yaml.Node{Kind: yaml.SequenceNode}
		for _, element := range n.items {
			if isComment(element) {
				continue
			}
			value, err := toYAML(element)
			if err != nil {
				return nil, err
			}
			sequence.Content = append(sequence.Content, value)
		}
		return sequence, nil
	default:
		scalar := &yaml.Node{}
		return scalar, scalar.Encode(n.(*leaf).value)
	}
}

func (b *branch) json() (string, error) {
	var compact, text bytes.Buffer
	if err := toJSON(&compact, b); err != nil {
		return "", err
	}
	err := json.Indent(&text, compact.Bytes(), "", "\t")
	return text.String(), err
}

func toJSON(to *bytes.Buffer, n node) error {
	switch n := n.(type) {
	case *branch:
		to.WriteByte('{')
		for i, item := range n.items {
			if i > 0 {
				to.WriteByte(',')
			}
			if err := scalarToJSON(to, item.key); err != nil {
				return err
			}
			to.WriteByte(':')
			if err := toJSON(to, item.value); err != nil {
				return err
			}
		}
		to.WriteByte('}')
	case *list:
		to.WriteByte('[')
		comma := ""
		for _, element := range n.items {
			if isComment(element) {
				continue
			}
			to.WriteString(comma)
			comma = ","
			if err := toJSON(to, element); err != nil {
				return err
			}
		}
		to.WriteByte(']')
	case *leaf:
		return scalarToJSON(to, n.value)
	}
	return nil
}

func scalarToJSON(to *bytes.Buffer, value any) error {
	encoder := json.NewEncoder(to)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

func (b *branch) dotenv() string {
	var text strings.Builder
	for _, item := range b.items {
		if l, isLeaf := item.value.(*leaf); isLeaf {
			fmt.Fprintf(&text, "%s=%s\n", item.key, strings.ReplaceAll(textOf(l.value), "\n", `\n`))
		}
	}
	return text.String()
}
