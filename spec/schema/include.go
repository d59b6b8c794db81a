package schema

func includeBlock(trust *Block) *Block {
	return &Block{
		Name: "include", Label: "name", LabelRule: LabelName, Repeats: true, Instances: true,
		Doc: "Composes another repo into this one, as a module of its own: it has its own variables (with their defaults only), locals, overlays and files, and nothing in it can refer to anything outside. " +
			"It may declare models, secrets (age and sops only, for a key of its own), datasets, pipelines, simulations, versions, approvals, and what has moved or been removed. The names of all that begin with the prefix, and the paths of its routes lie below it: with team_a_ below /team-a. " +
			"Policies, notifiers, promotions and further includes are the root's to declare.",
		Example: `include "team-a" {
  repo = "https://git.example.com/team-a/models.git"
  path = "fairlead"
  ref  = "main"
}`,
		Arguments: []*Argument{
			{Name: "repo", Type: String, Required: true, Example: `"https://git.example.com/team-a/models.git"`, Doc: "URL of the repo: https://, ssh://, USER@HOST:PATH, or file:// for one on the daemon's host, where this repo is there, too."},
			{Name: "path", Type: String, Note: "its top", Example: `"fairlead"`, Doc: "Directory of its specs."},
			{Name: "ref", Type: String, Note: "its default branch", Example: `"main"`, Doc: "Branch that is followed, or the full id of a commit."},
			{Name: "prefix", Type: String, Note: "the label, with _ for -, and _", Example: `"team_a_"`, Doc: "Begins the name of everything that it declares. It ends in _ or -. Nothing else may have such names."},
			{Name: "token", Type: Secret, Example: "secret.team_a", Doc: "The secret that the repo is fetched with. Without one nothing is sent that proves who asks, but to the host of this repo itself."},
			{Name: "allow", Type: KeywordList, Keywords: []string{"host", "publish"}, Note: "nothing", Example: "[host]", Doc: "What of the root's it may ask for, too. `host`: what the operator lets specs have of the daemon's host, which are volumes, directories, devices, capabilities, privileged mode and the host's network, and data of addresses inside of its networks. `publish`: any repository that the daemon can write to; otherwise a part of the path has to be the prefix, with - for _ and none at its end, or the last part begin with the prefix."},
		},
		Blocks: []*Block{trust},
	}
}
