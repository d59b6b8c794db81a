package schema

func datasetBlock() *Block {
	return &Block{
		Name: "dataset", Label: "name", LabelRule: LabelName, Repeats: true, Instances: true,
		Doc: "Data that pipelines read, and what is expected of it. Steps take it as `dataset.NAME`, read-only.",
		Example: `dataset "digits" {
  source = "data/digits.csv.gz"
  digest = "sha256:46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a"

  expect "rows" {
    min = 1500
  }
  expect "column" {
    name    = "label"
    type    = integer
    min     = 0
    max     = 9
    missing = 0
  }
}`,
		Arguments: []*Argument{
			{Name: "description", Type: String, Doc: "What the data is, for people."},
			{Name: "owners", Type: StringList, Example: `["@data"]`, Doc: "Who answers for it."},
			{
				Name: "source", Type: String, Required: true, Example: `"data/digits.csv.gz"`,
				Doc: "Where it is: the path of a file of the repo, https://URL, oci://HOST/REPOSITORY with :TAG or @sha256:DIGEST, or volume://NAME for a volume of the engine.",
			},
			{
				Name: "digest", Type: String, Example: `"sha256:46ab..."`,
				Doc: "What the content must be: of a file as sha256sum prints it, of an artifact that of its manifest. Other content is refused. A volume has none.",
			},
			{Name: "license", Type: String, Example: `"CC-BY-4.0"`, Doc: "The licence of the data, as an SPDX identifier or expression."},
			{Name: "collected", Type: Time, Example: `"2026-07-01"`, Doc: "When the data was collected; policies ask for its age."},
			{Name: "region", Type: String, Example: `"EU"`, Doc: "Where the data comes from, or must stay; for policies."},
			{Name: "personal", Type: Bool, Default: "false", Doc: "Whether it holds data about people; for policies."},
			{Name: "labels", Type: StringMap, Example: `{ doi = "10.24432/C50P49" }`, Doc: "Free words about it, for policies and people."},
		},
		Blocks: []*Block{tableBlock(), expectBlock()},
	}
}

func tableBlock() *Block {
	return &Block{
		Name: "table", Always: true,
		Doc: "How the rows are read that expectations are about.",
		Arguments: []*Argument{
			{Name: "file", Type: String, Note: "the only one", Example: `"digits.csv.gz"`, Doc: "Which file, of several."},
			{Name: "format", Type: Keyword, Keywords: []string{"csv", "tsv", "jsonl"}, Note: "by the file's name", Doc: "The format. A file that ends in .gz is unpacked."},
			{Name: "headers", Type: StringList, Note: "the first line", Example: `["p0", "p1"]`, Doc: "Names of the columns, of a file without a first line of them."},
		},
	}
}

func expectBlock() *Block {
	return &Block{
		Name: "expect", Label: "kind", LabelRule: LabelText, Repeats: true, Adds: true,
		Doc: "A condition on the data: `rows` for how many there are, `column` for the values of one. It is checked before any step reads the data; where it does not hold the run fails. Any number may stand, and those of an overlay replace all.",
		Example: `expect "column" {
  name    = "label"
  type    = integer
  min     = 0
  max     = 9
  missing = 0
}`,
		Arguments: []*Argument{
			{Name: "name", Type: String, Example: `"label"`, Doc: "The column. Needed for `column`."},
			{Name: "type", Type: Keyword, Keywords: []string{"integer", "number", "string", "bool", "timestamp"}, Note: "any", Doc: "What each value must be. A timestamp is in RFC 3339."},
			{Name: "min", Type: Number, Example: "0", Doc: "The fewest rows, or the smallest value."},
			{Name: "max", Type: Number, Example: "9", Doc: "The most rows, or the largest value."},
			{Name: "missing", Type: Number, Note: "any", Min: bound(0), Max: bound(1), Example: "0.01", Doc: "The greatest share of missing values: 0.01 is 1 %."},
			{Name: "unique", Type: Bool, Default: "false", Doc: "Whether no value may occur twice."},
			{Name: "values", Type: StringList, Note: "any", Example: `["a", "b"]`, Doc: "The only values that are allowed."},
			{Name: "pattern", Type: String, Note: "any", Example: `"[0-9]+"`, Doc: "Regular expression (RE2) that each value matches as a whole."},
		},
	}
}
