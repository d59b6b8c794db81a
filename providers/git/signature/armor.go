package signature

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// The kinds of armour.
const (
	kindSSH       = "SSH SIGNATURE"
	kindPGP       = "PGP SIGNATURE"
	kindPublicKey = "PGP PUBLIC KEY BLOCK"
)

// kindOf is what the first line of an armour says it is.
func kindOf(armored string) (string, error) {
	first, _, _ := strings.Cut(armored, "\n")
	inner, begins := strings.CutPrefix(first, "-----BEGIN ")
	kind, ends := strings.CutSuffix(inner, "-----")
	if !begins || !ends {
		return "", fmt.Errorf("the signature begins with %q, which nothing known begins with", printable(first))
	}
	return kind, nil
}

// unarmor returns what an armour of RFC 9580, section 6, or of PROTOCOL.sshsig holds.
// Other than the decoders of the libraries it takes nothing before and after but
// empty lines, and no second block: what is read must be all that is there.
func unarmor(armored, kind string) ([]byte, error) {
	lines := strings.Split(strings.TrimRight(armored, "\n"), "\n")
	if len(lines) < 3 || lines[0] != "-----BEGIN "+kind+"-----" || lines[len(lines)-1] != "-----END "+kind+"-----" {
		return nil, fmt.Errorf("the armour is not one whole block %s", kind)
	}
	lines = lines[1 : len(lines)-1]
	if kind != kindSSH {
		var err error
		if lines, err = skipArmorHeaders(lines); err != nil {
			return nil, err
		}
	}
	checksum := ""
	if last := lines[len(lines)-1]; kind != kindSSH && len(last) == 5 && last[0] == '=' {
		lines, checksum = lines[:len(lines)-1], last[1:]
	}
	data, err := base64.StdEncoding.Strict().DecodeString(strings.Join(lines, ""))
	if err != nil || len(data) == 0 {
		return nil, errors.New("the armour does not hold what base64 makes")
	}
	if checksum != "" {
		want, err := base64.StdEncoding.Strict().DecodeString(checksum)
		if sum := crc24(data); err != nil || !bytes.Equal(want, sum) {
			return nil, errors.New("the checksum of the armour is wrong")
		}
	}
	return data, nil
}

// skipArmorHeaders returns the lines after "Key: value" lines and the empty line.
func skipArmorHeaders(lines []string) ([]string, error) {
	for i, line := range lines {
		if strings.TrimSpace(line) == "" {
			if i+1 == len(lines) {
				break
			}
			return lines[i+1:], nil
		}
		if !strings.Contains(line, ": ") && !strings.HasSuffix(line, ":") {
			break
		}
	}
	return nil, errors.New("the armour has no end of its headers")
}

// crc24 is the checksum of RFC 4880, section 6.1.
func crc24(data []byte) []byte {
	crc := uint32(0xB704CE)
	for _, b := range data {
		crc ^= uint32(b) << 16
		for range 8 {
			crc <<= 1
			if crc&0x1000000 != 0 {
				crc ^= 0x1864CFB
			}
		}
	}
	return []byte{byte(crc >> 16), byte(crc >> 8), byte(crc)}
}
