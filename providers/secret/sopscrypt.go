package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// maxRecipients bounds how many keys of a file are tried.
const maxRecipients = 100

// open decrypts the values of a document in place and compares its MAC.
func (k *keyring) open(d *document) *fault {
	rule, problem := ruleOf(d.metadata)
	if problem != nil {
		return problem
	}
	key, problem := k.dataKey(d.metadata)
	if problem != nil {
		return problem
	}
	values, problem := newOpener(key, rule, d.metadata["mac_only_encrypted"])
	if problem != nil {
		return problem
	}
	if problem := values.node(d.root, nil); problem != nil {
		return problem
	}
	return values.checkMAC(d.metadata["mac"], d.metadata["lastmodified"])
}

// otherKeys are what else SOPS can encrypt its key for. All of them would need a
// program, a network or an agent to be asked.
var otherKeys = []struct{ prefix, name string }{
	{"pgp__", "PGP"},
	{"kms__", "AWS KMS"},
	{"gcp_kms__", "GCP KMS"},
	{"azure_kv__", "Azure Key Vault"},
	{"hc_vault__", "HashiCorp Vault"},
	{"hckms__", "Huawei Cloud KMS"},
}

// dataKey decrypts the key of the values, which the file holds once for each of its
// recipients.
func (k *keyring) dataKey(metadata map[string]string) ([]byte, *fault) {
	if has(metadata, "key_groups__") {
		return nil, &fault{"its key is split between groups of keys (Shamir), which is not supported", "encrypt it for one group: sops rotate --in-place without key_groups in .sops.yaml"}
	}
	if !has(metadata, "age__") {
		names := []string{}
		for _, other := range otherKeys {
			if has(metadata, other.prefix) {
				names = append(names, other.name)
			}
		}
		cause := "it is encrypted for no key at all"
		if len(names) > 0 {
			cause = fmt.Sprintf("it is encrypted for %s only, and this host decrypts with age", strings.Join(names, " and "))
		}
		return nil, &fault{cause, "add the age recipient of this host: sops rotate --in-place --add-age RECIPIENT (age-keygen -y prints it)"}
	}
	if problem := k.load(); problem != nil {
		return nil, problem
	}
	for i := range maxRecipients {
		encrypted, there := metadata[fmt.Sprintf("age__list_%d__map_enc", i)]
		if !there {
			break
		}
		key, err := k.unwrap(encrypted)
		if _, other := errors.AsType[*age.NoIdentityMatchError](err); other {
			continue
		}
		if err != nil {
			return nil, damagedSOPS("the key of its values cannot be read")
		}
		return key, nil
	}
	return nil, &fault{
		k.otherKeys(),
		fmt.Sprintf("add a recipient of %s: sops rotate --in-place --add-age RECIPIENT (age-keygen -y prints it)", k.files[k.module]),
	}
}

// unwrap decrypts an AES-256 key.
func (k *keyring) unwrap(encrypted string) ([]byte, error) {
	plain, err := age.Decrypt(armor.NewReader(strings.NewReader(encrypted)), k.identities...)
	if err != nil {
		return nil, err
	}
	const size = 32
	key, err := io.ReadAll(io.LimitReader(plain, size+1))
	if err == nil && len(key) != size {
		err = errors.New("it is no key of 32 bytes")
	}
	return key, err
}

func has(metadata map[string]string, prefix string) bool {
	for name := range metadata {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func damagedSOPS(cause string) *fault {
	return &fault{cause, "take the last version that sops wrote, and change it with sops edit only"}
}

// encryptedRule tells by the keys that lead to a value whether it is encrypted.
type encryptedRule func(path []string) bool

// ruleOf reads the rule of a file. There is at most one; without any, keys that end
// in _unencrypted are left in clear.
func ruleOf(metadata map[string]string) (encryptedRule, *fault) {
	var rules []encryptedRule
	for _, r := range []struct {
		name      string
		isRegex   bool
		encrypted bool // what it matches is
	}{
		{"unencrypted_suffix", false, false},
		{"encrypted_suffix", false, true},
		{"unencrypted_regex", true, false},
		{"encrypted_regex", true, true},
	} {
		text := metadata[r.name]
		if text == "" {
			continue
		}
		matches := func(key string) bool { return strings.HasSuffix(key, text) }
		if r.isRegex {
			pattern, err := regexp.Compile(text)
			if err != nil {
				return nil, damagedSOPS("its " + r.name + " is no regular expression")
			}
			matches = pattern.MatchString
		}
		rules = append(rules, func(path []string) bool { return slices.ContainsFunc(path, matches) == r.encrypted })
	}
	switch {
	case metadata["encrypted_comment_regex"] != "" || metadata["unencrypted_comment_regex"] != "":
		return nil, &fault{"comments say which of its values are encrypted, which is not supported", "use encrypted_regex in .sops.yaml, and run sops rotate --in-place"}
	case len(rules) > 1:
		return nil, damagedSOPS("it has two rules for what is encrypted")
	case len(rules) == 1:
		return rules[0], nil
	}
	return func(path []string) bool {
		return !slices.ContainsFunc(path, func(key string) bool { return strings.HasSuffix(key, "_unencrypted") })
	}, nil
}

// opener decrypts values, and adds them up to the MAC: SHA-512 over all of them in
// the order of the file.
type opener struct {
	cipher        cipher.AEAD
	rule          encryptedRule
	mac           hash.Hash
	encryptedOnly bool // the MAC is over encrypted values
}

// sopsNonce is the size of the nonces of SOPS, in bytes.
const sopsNonce = 32

// onlyEncrypted begins a MAC that is over encrypted values only, so that neither kind
// can pass for the other: SHA-256 of "sops".
var onlyEncrypted = []byte{
	0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe, 0x0b,
	0x0b, 0x97, 0x5b, 0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
}

func newOpener(key []byte, rule encryptedRule, encryptedOnly string) (*opener, *fault) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, damagedSOPS("the key of its values cannot be read")
	}
	gcm, err := cipher.NewGCMWithNonceSize(block, sopsNonce)
	if err != nil {
		return nil, damagedSOPS("the key of its values cannot be read")
	}
	o := &opener{cipher: gcm, rule: rule, mac: sha512.New()}
	if encryptedOnly != "" {
		if o.encryptedOnly, err = strconv.ParseBool(encryptedOnly); err != nil {
			return nil, damagedSOPS("its mac_only_encrypted is neither true nor false")
		}
	}
	if o.encryptedOnly {
		o.mac.Write(onlyEncrypted)
	}
	return o, nil
}

// node decrypts what is below a path. Elements of a list have the path of the list.
func (o *opener) node(n node, path []string) *fault {
	switch n := n.(type) {
	case *branch:
		for _, item := range n.items {
			if problem := o.node(item.value, append(path[:len(path):len(path)], item.key)); problem != nil {
				return problem
			}
		}
	case *list:
		for _, element := range n.items {
			if problem := o.node(element, path); problem != nil {
				return problem
			}
		}
	case *leaf:
		return o.leaf(n, path)
	}
	return nil
}

func (o *opener) leaf(l *leaf, path []string) *fault {
	if l.value == nil {
		return nil
	}
	if o.rule(path) {
		text, isText := l.value.(string)
		where := fmt.Sprintf("%.200q", strings.Join(path, "."))
		if !isText || text != "" && !strings.HasPrefix(text, "ENC[") {
			return damagedSOPS("its value " + where + " is not encrypted, and should be")
		}
		if text != "" { // SOPS leaves what is empty as it is
			value, err := o.decrypt(text, strings.Join(path, ":")+":")
			if err != nil {
				return damagedSOPS("its value " + where + " was changed without sops, or moved there from another key")
			}
			l.value, l.encrypted = value, true
		}
	}
	if _, left := l.value.(comment); !left && (l.encrypted || !o.encryptedOnly) {
		o.mac.Write(macBytes(l.value))
	}
	return nil
}

// macBytes is a value as the MAC takes it, the names of truth as in Python.
func macBytes(value any) []byte {
	switch value {
	case true:
		return []byte("True")
	case false:
		return []byte("False")
	}
	return []byte(textOf(value))
}

var encryptedText = regexp.MustCompile(`^ENC\[AES256_GCM,data:([^,]+),iv:([^,]+),tag:([^,]+),type:([a-z]+)\]$`)

var errDecrypt = errors.New("it does not decrypt")

// decrypt returns a value of the type that it had. The path is a part of what the
// cipher authenticates.
func (o *opener) decrypt(text, path string) (any, error) {
	parts := encryptedText.FindStringSubmatch(text)
	if parts == nil {
		return nil, errDecrypt
	}
	var raw [3][]byte // data, nonce, tag
	for i := range raw {
		var err error
		if raw[i], err = base64.StdEncoding.DecodeString(parts[i+1]); err != nil {
			return nil, errDecrypt
		}
	}
	data, nonce, tag := raw[0], raw[1], raw[2]
	if len(nonce) != sopsNonce || len(tag) != o.cipher.Overhead() {
		return nil, errDecrypt
	}
	plain, err := o.cipher.Open(nil, nonce, append(data, tag...), []byte(path))
	if err != nil {
		return nil, errDecrypt
	}
	return typed(parts[4], string(plain))
}

// typed gives a value back the type that SOPS keeps beside it. SOPS does not
// authenticate the type; the MAC is over what comes out, so that another type passes
// only where the text is the same but for the case of truth.
func typed(kind, text string) (any, error) {
	switch kind {
	case "str":
		return text, nil
	case "bytes":
		return []byte(text), nil
	case "int":
		return strconv.Atoi(text)
	case "float":
		return strconv.ParseFloat(text, 64)
	case "bool":
		return strconv.ParseBool(text)
	case "comment":
		return comment(text), nil
	case "time":
		var t time.Time
		err := t.UnmarshalText([]byte(text))
		return t, err
	default:
		return nil, errDecrypt
	}
}

// checkMAC compares the MAC with the one in the file, which is encrypted with the
// time of the last change as its path.
func (o *opener) checkMAC(encrypted, lastModified string) *fault {
	changed, err := time.Parse(time.RFC3339, lastModified)
	if err != nil {
		return damagedSOPS("its lastmodified is no time")
	}
	stored, err := o.decrypt(encrypted, changed.Format(time.RFC3339))
	if err != nil {
		return damagedSOPS("its MAC is missing or was changed without sops")
	}
	text, isText := stored.(string)
	if !isText || subtle.ConstantTimeCompare([]byte(text), fmt.Appendf(nil, "%X", o.mac.Sum(nil))) != 1 {
		return damagedSOPS("its MAC does not match: a value was added, removed, moved or changed without sops")
	}
	return nil
}
