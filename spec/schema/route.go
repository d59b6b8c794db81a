package schema

func routeBlock() *Block {
	return &Block{
		Name: "route", Repeats: true,
		Doc: "A way into the model from the gateway's port.",
		Example: `route {
  path    = "/digits"
  timeout = "2s"
}`,
		Arguments: []*Argument{
			{Name: "host", Type: String, Note: "every host", Example: `"models.example.com"`, Doc: "Host name of the request, in lower case, without port and wildcards."},
			{Name: "path", Type: String, Required: true, Example: `"/digits"`, Doc: "Prefix of the request's path, matched on whole segments. Only characters that need no encoding; not below /v2/models, which the gateway routes itself."},
			{Name: "strip", Type: Bool, Default: "false", Doc: "Removes path from the request before it is forwarded."},
			{Name: "timeout", Type: Duration, Default: `"30s"`, Min: bound(0.001), Max: bound(86400), Doc: "Time for the answer. It stands still while the gateway waits for the client."},
			{Name: "fallback", Type: Ref, Refers: "model", Example: "model.digits_small", Doc: "The model that answers when this one cannot. Its own fallback is not asked: a request goes over once. It answers for want of a ready replica, for a 5xx and for a time-out, where the request can be sent again, and only callers that its own routes let in."},
		},
		Blocks: []*Block{limitBlock(), authBlock()},
	}
}

func limitBlock() *Block {
	return &Block{
		Name: "limit",
		Doc:  "How much the route lets through: by rate, by requests at a time, or both. What is above it is answered with 429 and Retry-After, and never reaches the model.",
		Example: `limit {
  rate        = 50
  burst       = 100
  concurrency = 20
}`,
		Arguments: []*Argument{
			{Name: "rate", Type: Number, Note: "any", Min: bound(0.001), Max: bound(1000000), Example: "50", Doc: "Requests per second, in the long run."},
			{Name: "burst", Type: Integer, Note: "rate, and at least 1", Min: bound(1), Max: bound(1000000), Example: "100", Doc: "Requests that may come at once after a quiet time."},
			{Name: "concurrency", Type: Integer, Note: "any", Min: bound(1), Max: bound(1000000), Example: "20", Doc: "Requests that are open at a time."},
		},
	}
}

func authBlock() *Block {
	return &Block{
		Name: "auth",
		Doc:  "Who may use the route: whoever brings one of the keys, or a good token. At least one of api_keys and jwt; either is enough. All others are answered with 401. Without this block the route is open to everybody. /v2/models/NAME asks for what all routes of the model ask. Beside auth, paths that some servers take for others (//, a backslash, ;, double encoding) are refused with 400.",
		Example: `auth {
  api_keys = [secret.partner_key]
}`,
		Arguments: []*Argument{
			{
				Name: "api_keys", Type: SecretList, Example: "[secret.partner_key]",
				Doc: "Secrets, each of which holds one key. A caller sends it as `X-Api-Key: KEY` or `Authorization: Bearer KEY`. To change a key without a gap, list the new one beside the old one first.",
			},
		},
		Blocks: []*Block{{
			Name: "jwt",
			Doc:  "Takes JSON Web Tokens (RFC 7519), sent as `Authorization: Bearer TOKEN`: signed by one of the keys, from the issuer, for the audience, and not expired.",
			Example: `jwt {
  issuer   = "https://login.example.com"
  audience = "models"
  keys     = file("jwks.json")
}`,
			Arguments: []*Argument{
				{Name: "issuer", Type: String, Required: true, Example: `"https://login.example.com"`, Doc: "What the iss claim must be, character by character."},
				{Name: "audience", Type: String, Required: true, Example: `"models"`, Doc: "What the aud claim must be, or hold."},
				{Name: "keys", Type: String, Required: true, Example: `file("jwks.json")`, Doc: "The issuer's JSON Web Key Set (RFC 7517) of public keys: RSA of 2048 bits or more, EC on P-256 or P-384, Ed25519. At most 64 KiB. Keys in it that are of another kind, or for encryption, are not used; private ones are refused."},
			},
		}},
	}
}
