package openlineage

import "time"

// Schemas of the parts, as OpenLineage publishes them.
const (
	eventSchema = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
	facetSchema = "https://openlineage.io/spec/facets/"
	// ownSchema is that of our facets. A version of it never changes: what changes is
	// written to another file.
	ownSchema = "https://raw.githubusercontent.com/fairlead/fairlead/main/providers/openlineage/schema/fairlead-1-0-0.json#/$defs/"
	producer  = "https://github.com/fairlead/fairlead"
)

// Document is one event as OpenLineage has it.
type Document struct {
	EventType string    `json:"eventType"`
	EventTime time.Time `json:"eventTime"`
	Producer  string    `json:"producer"`
	SchemaURL string    `json:"schemaURL"`
	Run       runPart   `json:"run"`
	Job       jobPart   `json:"job"`
	Inputs    []dataset `json:"inputs"`
	Outputs   []dataset `json:"outputs"`
}

type runPart struct {
	RunID  string    `json:"runId"`
	Facets runFacets `json:"facets"`
}

type jobPart struct {
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	Facets    jobFacets `json:"facets"`
}

// facet is what every facet begins with.
type facet struct {
	Producer  string `json:"_producer"`
	SchemaURL string `json:"_schemaURL"`
}

// standard is the beginning of a facet of OpenLineage.
func standard(version, name string) facet {
	return facet{producer, facetSchema + version + "/" + name + ".json#/$defs/" + name}
}

// own is the beginning of a facet of ours.
func own(name string) facet { return facet{producer, ownSchema + name} }

type runFacets struct {
	NominalTime         *nominalTime         `json:"nominalTime,omitempty"`
	Parent              *parent              `json:"parent,omitempty"`
	ErrorMessage        *errorMessage        `json:"errorMessage,omitempty"`
	ExecutionParameters *executionParameters `json:"executionParameters,omitempty"`
	Run                 *runFacet            `json:"fairlead_run,omitempty"`
	Step                *stepFacet           `json:"fairlead_step,omitempty"`
}

type nominalTime struct {
	facet
	NominalStartTime time.Time `json:"nominalStartTime"`
}

type parent struct {
	facet
	parentRun
	Root parentRun `json:"root"`
}

type parentRun struct {
	Run struct {
		RunID string `json:"runId"`
	} `json:"run"`
	Job struct {
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
	} `json:"job"`
}

type errorMessage struct {
	facet
	Message             string `json:"message"`
	ProgrammingLanguage string `json:"programmingLanguage"` // required, and not known of a container
}

type executionParameters struct {
	facet
	Parameters []parameter `json:"parameters"`
}

type parameter struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type runFacet struct {
	facet
	ID         string `json:"id"`
	Trigger    string `json:"trigger"`
	Actor      string `json:"actor,omitempty"`
	Reason     string `json:"reason,omitempty"`
	Reproduces string `json:"reproduces,omitempty"`
	Resumes    string `json:"resumes,omitempty"`
	Outcome    string `json:"outcome,omitempty"`
	Gates      []gate `json:"gates,omitempty"`
}

type gate struct {
	Name       string `json:"name"`
	Subject    string `json:"subject,omitempty"`
	Level      string `json:"level"`
	Outcome    string `json:"outcome"`
	Detail     string `json:"detail"`
	Regulation string `json:"regulation,omitempty"`
	Overridden bool   `json:"overridden,omitempty"`
}

type stepFacet struct {
	facet
	Run      string             `json:"run"`
	Node     string             `json:"node"`
	Image    string             `json:"image,omitempty"`
	Key      string             `json:"key,omitempty"`
	From     string             `json:"from,omitempty"`
	Attempt  int                `json:"attempt,omitempty"`
	ExitCode int                `json:"exitCode,omitempty"`
	Cause    string             `json:"cause,omitempty"`
	Values   map[string]any     `json:"values,omitempty"`
	Metrics  map[string]float64 `json:"metrics,omitempty"`
}

type jobFacets struct {
	JobType            *jobType            `json:"jobType,omitempty"`
	Ownership          *ownership          `json:"ownership,omitempty"`
	SourceCodeLocation *sourceCodeLocation `json:"sourceCodeLocation,omitempty"`
}

type jobType struct {
	facet
	ProcessingType string `json:"processingType"`
	Integration    string `json:"integration"`
	JobType        string `json:"jobType"`
}

type ownership struct {
	facet
	Owners []owner `json:"owners"`
}

type owner struct {
	Name string `json:"name"`
}

type sourceCodeLocation struct {
	facet
	Type    string `json:"type"`
	URL     string `json:"url"`
	RepoURL string `json:"repoUrl"`
	Path    string `json:"path,omitempty"`
	Version string `json:"version"`
}

// dataset is an input or an output.
type dataset struct {
	Namespace    string        `json:"namespace"`
	Name         string        `json:"name"`
	Facets       datasetFacets `json:"facets"`
	InputFacets  *inputFacets  `json:"inputFacets,omitempty"`
	OutputFacets *outputFacets `json:"outputFacets,omitempty"`
}

type datasetFacets struct {
	Version *datasetVersion `json:"version,omitempty"`
	Model   *modelFacet     `json:"fairlead_model,omitempty"`
}

type datasetVersion struct {
	facet
	DatasetVersion string `json:"datasetVersion"`
}

type modelFacet struct {
	facet
	Model    string             `json:"model"`
	Version  string             `json:"version"`
	Artifact string             `json:"artifact"`
	Params   map[string]any     `json:"params,omitempty"`
	Data     map[string]string  `json:"data,omitempty"`
	Metrics  map[string]float64 `json:"metrics,omitempty"`
}

type inputFacets struct {
	DataQualityAssertions *dataQualityAssertions `json:"dataQualityAssertions,omitempty"`
}

type dataQualityAssertions struct {
	facet
	Assertions []assertion `json:"assertions"`
}

type assertion struct {
	Assertion string `json:"assertion"`
	Success   bool   `json:"success"`
}

type outputFacets struct {
	OutputStatistics *outputStatistics `json:"outputStatistics,omitempty"`
}

type outputStatistics struct {
	facet
	Size      int64 `json:"size"`
	FileCount int   `json:"fileCount"`
}
