package oip

// requirements is the protocol as a list, in the order in which it is tried: what
// later tests need is learnt by earlier ones.
//
// Where the widespread servers differ from the letter of the protocol in a way
// that no client can be hurt by, they pass: a health or ready endpoint may answer
// without body, since its status is the answer; an id may come where none was
// sent; and refusals are judged by class, so 404, 400 and 422 are all the same.
func requirements() []requirement {
	var all []requirement
	for _, part := range [][]requirement{
		serverRequirements(), modelRequirements(), inferRequirements(), requestRequirements(), versionRequirements(),
		refusalRequirements(), binaryRequirements(), lastRequirements(),
	} {
		all = append(all, part...)
	}
	return all
}

// The endpoints, as people write them.
const (
	endpointLive        = "GET /v2/health/live"
	endpointReady       = "GET /v2/health/ready"
	endpointServer      = "GET /v2"
	endpointModel       = "GET /v2/models/M"
	endpointModelReady  = "GET /v2/models/M/ready"
	endpointInfer       = "POST /v2/models/M/infer"
	endpointVersion     = "GET /v2/models/M/versions/V"
	endpointVersionInfo = "POST /v2/models/M/versions/V/infer"
	endpointAny         = "any"
)

func serverRequirements() []requirement {
	return []requirement{
		{"server-live", "Health", endpointLive, "a server that runs answers 200", testLive},
		{"server-ready", "Health", endpointReady, "a server that is ready for inference answers 200", testReady},
		{"server-metadata", "Server Metadata", endpointServer, "name, version and extensions are there", testServerMetadata},
	}
}

func modelRequirements() []requirement {
	return []requirement{
		{"model-metadata", "Model Metadata", endpointModel, "name, platform, inputs and outputs are there; versions, if there, are strings", testModelMetadata},
		{"model-name", "Model Metadata", endpointModel, "the metadata name the model that was asked for", testModelName},
		{"model-tensors", "Model Metadata", endpointModel, "each tensor has a name of its own and a shape of -1 and sizes", testModelTensors},
		{"model-datatypes", "Tensor Data Types", endpointModel, "each tensor has a datatype of the protocol", testModelDatatypes},
		{"model-ready", "Health", endpointModelReady, "a model that is ready answers 200, by its name if there is a body", testModelReady},
	}
}

func inferRequirements() []requirement {
	return []requirement{
		{"infer", "Inference", endpointInfer, "a request that fits the metadata is answered with 200", testInfer},
		{"infer-response", "Inference Response JSON Object", endpointInfer, "the response is an object with model_name and outputs", testInferResponse},
		{"infer-model-name", "Inference Response JSON Object", endpointInfer, "model_name is the model's name, and model_version one of its versions", testInferModelName},
		{"infer-outputs", "Inference Response JSON Object", endpointInfer, "without a list of outputs in the request, the response has all of the metadata", testInferOutputs},
		{"infer-datatypes", "Response Output", endpointInfer, "each output has the datatype that the metadata declare", testInferDatatypes},
		{"infer-shapes", "Response Output", endpointInfer, "each output has a shape that fits the declared one", testInferShapes},
		{"infer-data", "Tensor Data", endpointInfer, "the data of each output fit its shape and datatype", testInferData},
	}
}

func requestRequirements() []requirement {
	return []requirement{
		{"infer-id", "Inference Response JSON Object", endpointInfer, "the id of the request comes back", testInferID},
		{"infer-flat", "Tensor Data", endpointInfer, "data in a flat array are taken", testInferFlat},
		{"infer-nested", "Tensor Data", endpointInfer, "data in nested arrays are taken", testInferNested},
		{"infer-batch", "Tensor Data", endpointInfer, "variable dimensions can be 2, and the response fits its own shapes", testInferBatch},
		{"infer-selection", "Request Output", endpointInfer, "a list of outputs selects those, and no other comes back", testInferSelection},
		{"infer-parameters", "Parameters", endpointInfer, "parameters that are strings, numbers and booleans are taken", testInferParameters},
	}
}

func versionRequirements() []requirement {
	return []requirement{
		{"version-metadata", "Model Metadata", endpointVersion, "a version's metadata are those of the model", testVersionMetadata},
		{"version-ready", "Health", endpointVersion + "/ready", "a version that is ready answers 200", testVersionReady},
		{"version-infer", "Inference", endpointVersionInfo, "a version answers inference, and says which it is", testVersionInfer},
		{"version-unknown", "Model Metadata", endpointVersion, "an unknown version is refused", testVersionUnknown},
	}
}

func refusalRequirements() []requirement {
	const section = "Inference Response JSON Error Object"
	return []requirement{
		{"error-unknown-model", "Model Metadata Response JSON Error Object", endpointModel, "metadata of an unknown model are refused", testUnknownModel},
		{"error-unknown-model-infer", section, endpointInfer, "inference with an unknown model is refused", testUnknownModelInfer},
		{"error-malformed-json", section, endpointInfer, "a body that is no JSON is refused", testMalformed},
		{"error-missing-inputs", section, endpointInfer, "a request without inputs is refused", testMissingInputs},
		{"error-unknown-input", section, endpointInfer, "an input that the model has not is refused", testUnknownInput},
		{"error-unknown-output", section, endpointInfer, "asking for an output that the model has not is refused", testUnknownOutput},
		{"error-shape", section, endpointInfer, "an input with a dimension too many is refused", testWrongShape},
		{"error-data-length", section, endpointInfer, "data that are more than the shape says are refused", testWrongLength},
		{"error-datatype", section, endpointInfer, "text for an input of numbers is refused", testWrongDatatype},
		{"error-unknown-datatype", section, endpointInfer, "a datatype that the protocol has not is refused", testUnknownDatatype},
	}
}

func binaryRequirements() []requirement {
	const section = "Binary Tensor Data Extension"
	return []requirement{
		{"binary-input", section, endpointInfer, "if announced: inputs are taken as binary", testBinaryInput},
		{"binary-output", section, endpointInfer, "if announced: outputs come as binary when asked for", testBinaryOutput},
	}
}

func lastRequirements() []requirement {
	return []requirement{
		{"content-type", "HTTP/REST", endpointAny, "answers in JSON say so in Content-Type", testContentType},
		{"error-content-type", "HTTP/REST", endpointAny, "refusals in JSON say so in Content-Type", testErrorContentType},
		{"still-serves", "Health", endpointInfer, "after all that, the server answers as before", testStillServes},
	}
}
