package lang

import (
	"slices"
	"strings"

	"github.com/fairlead/fairlead/spec"
)

// artifact is what a model's containers are given beside their image.
func (s section) artifact(mounts []spec.Mount) *spec.Artifact {
	if s.n.args.get("artifact") == nil && s.n.args.get("artifact_path") == nil {
		return nil
	}
	target := s.artifactPath(mounts)
	ref := s.str("artifact")
	if ref == "" {
		switch v, ok := s.typed("artifact"); {
		case !ok:
		case !v.IsNull():
			s.errorf(s.at("artifact"), "Invalid artifact", "The artifact is empty. %s", artifactForm)
		case s.has("artifact_path"):
			s.errorf(s.at("artifact_path"), "Contradictory arguments", "There is no artifact to be put there. Write artifact too, or remove the argument.")
		}
		return nil
	}
	m := ociForm.FindStringSubmatch(ref)
	switch {
	case m == nil:
		s.errorf(s.at("artifact"), "Invalid artifact", "%s", artifactForm)
		return nil
	case m[2] == "":
		s.errorf(s.at("artifact"), "Artifact without digest", "What a tag names can change, and then nobody knows what serves. Write oci://HOST/REPOSITORY@sha256:DIGEST. `fairlead model versions %s` lists the digests of the registry; `publish` of a pipeline writes them.", s.n.label)
		return nil
	case m[1] != "":
		s.errorf(s.at("artifact"), "Invalid artifact", "The artifact has a tag and a digest, and only the digest decides. Leave the tag out.")
		return nil
	}
	_, digest, _ := strings.Cut(ref, "@")
	return &spec.Artifact{Ref: ref, Digest: digest, Target: target}
}

const artifactForm = "An artifact is oci://HOST/REPOSITORY@sha256:DIGEST, in lower case, where the digest has 64 hexadecimal digits."

// systemPaths are directories of an image that nothing may cover.
var systemPaths = [...]string{"/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys", "/tmp", "/usr", "/var"}

func (s section) artifactPath(mounts []spec.Mount) string {
	p := s.str("artifact_path")
	if p == "" && !s.evaluates("artifact_path") {
		return ""
	}
	system := slices.ContainsFunc(systemPaths[:], func(d string) bool {
		inside := strings.HasPrefix(p, d+"/")
		return p == d || inside && (d == "/dev" || d == "/proc" || d == "/sys" || d == "/run")
	})
	switch {
	case !absolutePath(p):
		s.errorf(s.at("artifact_path"), "Path not absolute", "The path is that of a directory in the container: absolute, without . and .. in it, such as \"/mnt/model\".")
	case system:
		s.errorf(s.at("artifact_path"), "Reserved path", "The files of the artifact would cover what the system in the container needs. Choose a directory of their own, such as \"/mnt/model\".")
	case s.has("artifact") && slices.ContainsFunc(mounts, func(m spec.Mount) bool { return m.Target == p }):
		s.errorf(s.mountAt(p), "Reserved path", "The files of the artifact are at %s. Mount elsewhere, or write another artifact_path.", p)
	}
	return p
}
