// Package lang reads a config repo: HCL and its JSON twin in, a [spec.Config]
// and diagnostics out. It is the only package that knows HCL and cty.
//
//	files ─▶ budget ─▶ parse ─▶ nodes ─▶ overlay ─▶ evaluate ─▶ decode ─▶ check
//	         limits    native,  node     environ-   eval,       section,  routes,
//	                   json              ment       guard       model     moved, ...
//
// Everything up to the nodes depends on one file alone and is kept by its
// content hash. A node is a block that fits the schema, with its arguments as
// expressions. The overlay of the environment is laid over nodes, so that an
// argument which it replaces is never evaluated.
//
// Evaluation goes from an expression to what that reads: variables, locals,
// attributes of models, files of the commit. There are no unknown values, and
// nothing but the commit, the environment and the variables can be read, so the
// result is a pure function of these three. What each block has read is noted; as
// long as all of it has the same value, the next load takes what the block was
// decoded to as it is, pointer and all.
//
// Conditions and templates of pipelines and policies are about facts that are not
// known yet: what a run finds out, what is live. They are not evaluated but
// compiled into an [expr.Expr], in which all that is known now is a literal.
//
// An included repo is a module: a Loader of its own reads what is mounted below
// [spec.IncludeDir], with its own names, files and overlays, and the root merges
// what comes of it. Prefixes keep the names of modules apart, so none of them can
// touch what another declares.
//
// Specs come from whoever can open a pull request. HCL's parser and evaluator
// have no limits of their own, so [Limits] are enforced on the tokens before the
// parser sees them, and by a guard around every node of an expression while it
// is evaluated.
package lang
