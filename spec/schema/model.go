package schema

func modelBlock() *Block {
	return &Block{
		Name: "model", Label: "name", LabelRule: LabelName, Repeats: true, Instances: true,
		Doc: "A served model. Other blocks can read `model.NAME.name`, `.version`, `.image`, `.port` and `.replicas`.",
		Example: `model "digits" {
  version  = "1.1.0"
  image    = "localhost:5000/digits:1.1.0"
  replicas = 2

  route {
    path = "/digits"
  }
}`,
		Arguments: []*Argument{
			{Name: "description", Type: String, Doc: "What the model does, for people."},
			{Name: "owners", Type: StringList, Example: `["@vision"]`, Doc: "Who answers for it."},
			{Name: "version", Type: Version, Example: `"1.1.0"`, Doc: "The team's own version of the model. Quoted: a bare 1.10 would be the number 1.1."},
			{Name: "image", Type: String, Required: true, Example: `"localhost:5000/digits@sha256:6c3c..."`, Doc: "The container image of the model server: NAME:TAG, or NAME@sha256:DIGEST."},
			{Name: "artifact", Type: String, Example: `"oci://registry.example.com/models/digits@sha256:46ab..."`, Doc: "Files of the model beside its image, such as weights: an OCI artifact by the digest of its manifest, pulled, verified and mounted read-only. oci://local/NAME is the daemon's own store. Files that do not match the digest never start. `publish` of a pipeline writes this argument."},
			{Name: "artifact_path", Type: String, Default: `"/mnt/model"`, Doc: "Directory in the container where the artifact's files are."},
			{Name: "card", Type: String, Example: `"digits/model-card.md"`, Doc: "The model card: path of a Markdown file of the repo. Policies read its YAML front matter as `model.card.NAME`."},
			{Name: "license", Type: String, Example: `"Apache-2.0"`, Doc: "The licence of the model, as an SPDX identifier or expression."},
			{Name: "protocol", Type: Keyword, Keywords: []string{"open_inference", "http"}, Default: "open_inference", Doc: "What the server speaks. A model of the Open Inference Protocol is reached at /v2/models/NAME without any route; any other only by its routes."},
			{Name: "port", Type: Integer, Default: "8080", Min: bound(1), Max: bound(65535), Doc: "The port on which the container listens."},
			{Name: "replicas", Type: Integer, Default: "1", Min: bound(0), Max: bound(1000), Doc: "How many containers serve. 0: declared, but nothing runs."},
			{Name: "entrypoint", Type: StringList, Note: "the image's own", Example: `["/server"]`, Doc: "The program to run, instead of the image's."},
			{Name: "command", Type: StringList, Note: "the image's own", Example: `["--threads", "2"]`, Doc: "The arguments of the program, instead of the image's."},
			{Name: "env", Type: Env, Example: `{ THREADS = "2", TOKEN = secret.token }`, Doc: "Environment variables of the container. A value is a string, or a secret. Prefer `secrets` for secrets: everybody who may inspect the container can read its environment."},
			{Name: "secrets", Type: SecretMap, Example: `{ token = secret.token }`, Doc: "Secrets as read-only files: the key is the name of the file below /run/secrets."},
			{Name: "user", Type: String, Note: "the image's own", Example: `"1000:1000"`, Doc: "The user to run as: name or id, with or without group."},
			{Name: "read_only", Type: Bool, Default: "false", Doc: "Makes the root file system read-only."},
			{Name: "restart", Type: Keyword, Keywords: []string{"unless_stopped", "on_failure", "no"}, Default: "unless_stopped", Doc: "What the engine itself does when the process ends. Fairlead heals on top of it."},
			{Name: "stop_timeout", Type: Duration, Default: `"10s"`, Min: bound(0), Max: bound(3600), Doc: "The time from SIGTERM to SIGKILL."},
			{Name: "devices", Type: StringList, Example: `["/dev/fuse"]`, Doc: "Devices of the host, by absolute path. The operator's policy must grant each."},
			{Name: "capabilities", Type: StringList, Example: `["NET_ADMIN"]`, Doc: "Linux capabilities to add to none, without the CAP_ prefix. The operator's policy must grant each."},
			{Name: "privileged", Type: Bool, Default: "false", Doc: "Gives the container all of the host. The operator's policy must grant it."},
			{Name: "network", Type: Keyword, Keywords: []string{"environment", "host"}, Default: "environment", Doc: "The network: that of the environment, or the host's, which the operator's policy must grant."},
		},
		Blocks: []*Block{
			resourcesBlock(), logsBlock(), mountBlock(), signatureBlock(), healthBlock(), warmupBlock(), metricsBlock(), routeBlock(), rolloutBlock(), updateBlock(),
		},
	}
}

func resourcesBlock() *Block {
	return &Block{
		Name: "resources", Always: true,
		Doc: "Limits of one container. What is left out is not limited, except pids.",
		Example: `resources {
  cpus   = 1.5
  memory = "2GiB"
  gpus   = 1
}`,
		Arguments: []*Argument{
			{Name: "cpus", Type: Number, Min: bound(0.01), Max: bound(4096), Example: "1.5", Doc: "Cores."},
			{Name: "memory", Type: Size, Min: bound(6 << 20), Max: bound(1 << 50), Example: `"2GiB"`, Doc: "Memory; swap is limited to the same, so there is none on top."},
			{Name: "shm", Type: Size, Min: bound(4 << 10), Max: bound(1 << 50), Example: `"1GiB"`, Doc: "Size of /dev/shm, which workers of many model servers share tensors through."},
			{Name: "pids", Type: Integer, Default: "512", Min: bound(1), Max: bound(4194304), Doc: "Processes and threads. Always limited, so that a fork bomb stays in its container."},
			{Name: "gpus", Type: GPUs, Example: "1", Doc: "Graphics processors: how many, the word `all`, or a list of device ids."},
		},
		Blocks: []*Block{{
			Name: "ulimit", Label: "resource", LabelRule: LabelName, Repeats: true,
			Doc: "A limit of setrlimit(2), such as nofile or memlock. -1 is unlimited.",
			Example: `ulimit "nofile" {
  soft = 65536
}`,
			Arguments: []*Argument{
				{Name: "soft", Type: Integer, Required: true, Min: bound(-1), Max: bound(1 << 53), Doc: "The limit in force."},
				{Name: "hard", Type: Integer, Note: "as soft", Min: bound(-1), Max: bound(1 << 53), Doc: "How far the process may raise it."},
			},
		}},
	}
}

func logsBlock() *Block {
	return &Block{
		Name: "logs", Always: true,
		Doc: "Bounds what the engine keeps of the container's output.",
		Arguments: []*Argument{
			{Name: "max_size", Type: Size, Default: `"10MiB"`, Min: bound(4 << 10), Max: bound(1 << 40), Doc: "Size of one log file."},
			{Name: "max_files", Type: Integer, Default: "3", Min: bound(1), Max: bound(1000), Doc: "How many files are kept."},
		},
	}
}

func mountBlock() *Block {
	return &Block{
		Name: "mount", Label: "target", LabelRule: LabelPath, Repeats: true,
		Doc: "A file system in the container, at the absolute path of the label. A volume needs no grant: it is one of the environment's own, which Fairlead makes and which all that mount the same name share. Where the operator grants a name (`--allow-volume`), it is the engine's volume of that name instead. A directory of the host has to be granted (`--allow-bind`).",
		Example: `mount "/cache" {
  type   = volume
  source = "weights"
}`,
		Arguments: []*Argument{
			{Name: "type", Type: Keyword, Keywords: []string{"volume", "bind", "tmpfs"}, Required: true, Doc: "A named volume, a path of the host, or memory."},
			{Name: "source", Type: String, Example: `"weights"`, Doc: "Name of the volume, or absolute path on the host. None for tmpfs."},
			{Name: "read_only", Type: Bool, Default: "false", Doc: "Forbids writing."},
			{Name: "size", Type: Size, Min: bound(4 << 10), Max: bound(1 << 50), Example: `"64MiB"`, Doc: "Size of a tmpfs."},
		},
	}
}

func signatureBlock() *Block {
	tensor := func(name, doc string) *Block {
		return &Block{
			Name: name, Label: "name", LabelRule: LabelText, Repeats: true, Doc: doc,
			Arguments: []*Argument{
				{
					Name: "datatype", Type: Keyword, Required: true, Doc: "Open Inference datatype of the elements.",
					Keywords: []string{"BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BF16", "BYTES"},
				},
				{Name: "shape", Type: IntegerList, Required: true, Min: bound(-1), Max: bound(1 << 53), Example: "[-1, 64]", Doc: "Size of each dimension; -1 for any."},
			},
		}
	}
	return &Block{
		Name: "signature",
		Doc:  "The declared interface of the model. A new revision whose own metadata differs is refused before it takes traffic.",
		Example: `signature {
  input "pixels" {
    datatype = FP32
    shape    = [-1, 64]
  }
  output "digit" {
    datatype = INT64
    shape    = [-1]
  }
}`,
		Blocks: []*Block{tensor("input", "An input tensor."), tensor("output", "An output tensor.")},
	}
}

func healthBlock() *Block {
	return &Block{
		Name: "health", Always: true,
		Doc: "When a replica is good. The gateway sends GET requests; only status 200 is healthy.",
		Example: `health {
  path        = "/v2/health/ready"
  interval    = "1s"
  min_healthy = "3s"
}`,
		Arguments: []*Argument{
			{Name: "path", Type: String, Note: `"/v2/health/ready" for open_inference; required for http`, Example: `"/healthz"`, Doc: "Path of the probe."},
			{Name: "interval", Type: Duration, Default: `"1s"`, Min: bound(0.1), Max: bound(3600), Doc: "Time between two probes of one replica."},
			{Name: "timeout", Type: Duration, Note: `"1s", or interval if that is shorter`, Min: bound(0.01), Max: bound(3600), Doc: "Time for the answer to one probe; not above interval."},
			{Name: "min_healthy", Type: Duration, Default: `"1s"`, Min: bound(0), Max: bound(86400), Doc: "Healthy without a break for so long, then ready."},
			{Name: "deadline", Type: Duration, Default: `"1m"`, Min: bound(0.1), Max: bound(86400), Doc: "Time from start to ready; then the replica counts as failed."},
		},
	}
}

func warmupBlock() *Block {
	return &Block{
		Name: "warmup",
		Doc:  "Recorded traffic for a fresh replica, sent before it is eligible.",
		Example: `warmup {
  request = file("warmup/digits.json")
  count   = 20
}`,
		Arguments: []*Argument{
			{Name: "request", Type: String, Required: true, Example: `file("warmup/digits.json")`, Doc: "Body of one inference request."},
			{Name: "count", Type: Integer, Default: "10", Min: bound(1), Max: bound(10000), Doc: "How often it is sent."},
		},
	}
}

func metricsBlock() *Block {
	return &Block{
		Name: "metrics",
		Doc: "Where each replica tells metrics of its own, in the text form of Prometheus. They are collected beside those of the gateway, with the labels model, revision and replica, " +
			"for the query of a check and for `/api/v1/query`.",
		Example: `metrics {
  path = "/metrics"
  port = 9090
}`,
		Arguments: []*Argument{
			{Name: "path", Type: String, Default: `"/metrics"`, Doc: "Path of the endpoint, asked with GET."},
			{Name: "port", Type: Integer, Note: "the model's port", Min: bound(1), Max: bound(65535), Example: "9090", Doc: "The port on which the container tells them."},
			{Name: "interval", Type: Duration, Default: `"5s"`, Min: bound(0.1), Max: bound(120), Doc: "Time between two readings of one replica. What is older than 5 minutes counts as gone, so two minutes leave room for a lost one."},
		},
	}
}
