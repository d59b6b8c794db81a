// Package openlineage tells what runs did to a service that collects lineage, such
// as Marquez or DataHub, in the words of OpenLineage 2-0-2 (https://openlineage.io).
// It implements run.Lineage.
//
//	Event   is one moment as a document; making it is pure
//	Client  sends documents, in their order
//
// # What stands for what
//
// The namespace of everything is fairlead/ENVIRONMENT. A pipeline is a job, and each
// of its steps is one, PIPELINE.STEP, whose runs have that of the pipeline for their
// parent. Datasets are dataset.NAME, what a step wrote is
// pipeline.PIPELINE.NODE.OUTPUT, and a model is model.NAME; the version of each is
// its digest, that of a model its version. Identifiers of runs are UUIDs that follow
// from the environment, the name of the run and when it was made (version 5 of RFC
// 9562), so a daemon that was killed speaks of the same run as before.
//
// Facets are the standard ones where there are some: nominalTime, parent,
// errorMessage, executionParameters, jobType, ownership, sourceCodeLocation,
// version, dataQualityAssertions and outputStatistics. For what none of them says
// there are three of our own, defined in schema/fairlead-1-0-0.json: fairlead_run,
// fairlead_step and fairlead_model.
//
// # When the service is away
//
// Lineage is evidence beside the registry in Git, not the registry. So no run waits
// for it: up to 1,000 events wait to be sent, then the oldest goes; each is tried
// again for up to an hour. What the service refuses for good, and what was given up,
// is counted and logged.
package openlineage
