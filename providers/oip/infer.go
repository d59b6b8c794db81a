package oip

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
)

// Inference with requests that fit the model.

// sample is modelMetadata.sample in the form that the server takes.
func (c *conversation) sample(size int64) (*inferRequest, error) {
	m, err := c.described()
	if err != nil {
		return nil, err
	}
	return m.sample(size, c.nested)
}

// infer sends a request that is to be answered.
func (c *conversation) infer(ctx context.Context, path string, body []byte) (*exchange, error) {
	x, err := c.send(ctx, http.MethodPost, path, jsonContent(), body)
	if err == nil {
		err = x.ok()
	}
	if err == nil && !x.isJSON() {
		c.untyped = cmp.Or(c.untyped, x)
	}
	return x, err
}

func (c *conversation) inferPath() string { return modelPath(c.model) + "/infer" }

// testInfer takes flat data first. A server that takes nested data only fails
// that one requirement, and the others are tried all the same.
func testInfer(ctx context.Context, c *conversation) error {
	var first error
	for _, nested := range []bool{false, true} {
		c.nested = nested
		request, err := c.sample(1)
		if err != nil {
			return err
		}
		x, err := c.infer(ctx, c.inferPath(), request.encode())
		if err == nil {
			c.plain = x
			return nil
		}
		first = cmp.Or(first, err)
	}
	return first
}

// responded turns to the answer to the plain request, or skips.
func (c *conversation) responded() (*inferResponse, error) {
	if c.answer == nil {
		return nil, skip("no inference was answered with a response that can be read")
	}
	c.last = c.plain
	return c.answer, nil
}

func testInferResponse(_ context.Context, c *conversation) error {
	if c.plain == nil {
		return skip("no inference was answered")
	}
	c.last = c.plain
	answer, err := parseInferResponse(c.plain.body)
	if err != nil {
		return err
	}
	outputs, err := answer.tensors()
	if err != nil {
		return err
	}
	for i, out := range outputs {
		if len(out.data) == 0 {
			return fmt.Errorf("outputs[%d]: the field \"data\" is missing", i)
		}
	}
	c.answer, c.outputs = answer, outputs
	return nil
}

func testInferModelName(_ context.Context, c *conversation) error {
	answer, err := c.responded()
	if err != nil {
		return err
	}
	if answer.model != c.model {
		return fmt.Errorf("%q was asked, and model_name is %q", c.model, shorten(answer.model, 60))
	}
	version := ""
	if err := answer.fields.may("model_version", &version); err != nil {
		return err
	}
	if versions := c.metadata.model.versions; version != "" && len(versions) > 0 && !slices.Contains(versions, version) {
		return fmt.Errorf("model_version is %q, which the metadata do not list", shorten(version, 60))
	}
	return nil
}

func testInferOutputs(_ context.Context, c *conversation) error {
	if _, err := c.responded(); err != nil {
		return err
	}
	var want []string
	for _, t := range c.metadata.model.outputs {
		want = append(want, t.name)
	}
	return sameOutputs(c.outputs, want)
}

// sameOutputs compares the names, in any order.
func sameOutputs(outputs []outputTensor, want []string) error {
	var got []string
	for _, out := range outputs {
		got = append(got, out.name)
	}
	for _, name := range want {
		if !slices.Contains(got, name) {
			return fmt.Errorf("the response has no output %q", shorten(name, 60))
		}
	}
	if len(got) > len(want) {
		return fmt.Errorf("the response has %d outputs, and should have %d", len(got), len(want))
	}
	return nil
}

func testInferDatatypes(_ context.Context, c *conversation) error {
	return c.eachOutput(func(out outputTensor, declared tensor) error {
		if out.datatype != declared.datatype {
			return fmt.Errorf("the datatype is %q, and the metadata say %q", shorten(out.datatype, 40), shorten(declared.datatype, 40))
		}
		return nil
	})
}

func testInferShapes(_ context.Context, c *conversation) error { return c.eachOutput(shapeFits) }

func testInferData(_ context.Context, c *conversation) error { return c.eachOutput(dataFits) }

// eachOutput compares the outputs of the plain response with what is declared of
// them. One that is not declared has been found fault with already.
func (c *conversation) eachOutput(check func(out outputTensor, declared tensor) error) error {
	if _, err := c.responded(); err != nil {
		return err
	}
	return compareOutputs(c.outputs, c.metadata.model.outputs, check)
}

func compareOutputs(outputs []outputTensor, declared []tensor, check func(outputTensor, tensor) error) error {
	for _, out := range outputs {
		i := slices.IndexFunc(declared, func(t tensor) bool { return t.name == out.name })
		if i < 0 {
			continue
		}
		if err := check(out, declared[i]); err != nil {
			return fmt.Errorf("output %q: %w", shorten(out.name, 60), err)
		}
	}
	return nil
}

func shapeFits(out outputTensor, declared tensor) error {
	fits := len(out.shape) == len(declared.shape)
	for i := 0; fits && i < len(out.shape); i++ {
		fits = out.shape[i] >= 0 && (declared.shape[i] == -1 || declared.shape[i] == out.shape[i])
	}
	if !fits {
		return fmt.Errorf("the shape is %s, which does not fit the declared %s", shapeText(out.shape), shapeText(declared.shape))
	}
	return nil
}

// dataFits goes by what the response itself says, so that a wrong shape or
// datatype is one mistake and not two.
func dataFits(out outputTensor, _ tensor) error {
	if !knownType(out.datatype) {
		return skip("output %q has an unknown datatype", shorten(out.name, 60))
	}
	return checkData(out.data, out.shape, out.datatype)
}

// vary sends a variation of the plain request and returns the response.
func (c *conversation) vary(ctx context.Context, size int64, change func(*inferRequest)) (*inferResponse, error) {
	request, err := c.sample(size)
	if err != nil {
		return nil, err
	}
	if c.plain == nil {
		return nil, skip("no plain inference was answered")
	}
	change(request)
	x, err := c.infer(ctx, c.inferPath(), request.encode())
	if err != nil {
		return nil, err
	}
	return parseInferResponse(x.body)
}

func testInferID(ctx context.Context, c *conversation) error {
	const id = "fairlead-7"
	answer, err := c.vary(ctx, 1, func(r *inferRequest) { r.ID = id })
	if err != nil {
		return err
	}
	got := ""
	if err := answer.fields.need("id", &got); err != nil {
		return err
	}
	if got != id {
		return fmt.Errorf("the id %q was sent, and %q came back", id, shorten(got, 60))
	}
	return nil
}

func testInferFlat(ctx context.Context, c *conversation) error { return c.form(ctx, false) }

func testInferNested(ctx context.Context, c *conversation) error {
	m, err := c.described()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(m.inputs, func(t tensor) bool { return len(t.shape) > 1 }) {
		return skip("no input has more than one dimension, so nested and flat are the same")
	}
	return c.form(ctx, true)
}

// form sends the plain request with data in the given form.
func (c *conversation) form(ctx context.Context, nested bool) error {
	m, err := c.described()
	if err != nil {
		return err
	}
	if c.plain == nil {
		return skip("no plain inference was answered")
	}
	request, err := m.sample(1, nested)
	if err != nil {
		return err
	}
	_, err = c.infer(ctx, c.inferPath(), request.encode())
	return err
}

func testInferBatch(ctx context.Context, c *conversation) error {
	m, err := c.described()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(m.inputs, func(t tensor) bool { return slices.Contains(t.shape, -1) }) {
		return skip("no dimension of the inputs varies")
	}
	answer, err := c.vary(ctx, 2, func(*inferRequest) {})
	if err != nil {
		return err
	}
	outputs, err := answer.tensors()
	if err != nil {
		return err
	}
	return firstError(compareOutputs(outputs, m.outputs, shapeFits), compareOutputs(outputs, m.outputs, dataFits))
}

func testInferSelection(ctx context.Context, c *conversation) error {
	m, err := c.described()
	if err != nil {
		return err
	}
	if len(m.outputs) == 0 {
		return skip("the metadata declare no output")
	}
	last := m.outputs[len(m.outputs)-1].name // a server that always answers with the first is found out
	answer, err := c.vary(ctx, 1, func(r *inferRequest) { r.Outputs = []requestedOutput{{Name: last}} })
	if err != nil {
		return err
	}
	outputs, err := answer.tensors()
	if err != nil {
		return err
	}
	return sameOutputs(outputs, []string{last})
}

func testInferParameters(ctx context.Context, c *conversation) error {
	parameters := map[string]any{"fairlead_text": "x", "fairlead_number": 1.5, "fairlead_flag": true}
	_, err := c.vary(ctx, 1, func(r *inferRequest) {
		r.Parameters = parameters
		for i := range r.Inputs {
			r.Inputs[i].Parameters = parameters
		}
		for _, t := range c.metadata.model.outputs {
			r.Outputs = append(r.Outputs, requestedOutput{Name: t.name, Parameters: parameters})
		}
	})
	return err
}

// testStillServes is for servers that a bad request brings down.
func testStillServes(ctx context.Context, c *conversation) error {
	if c.plain == nil {
		return testLive(ctx, c)
	}
	_, err := c.infer(ctx, c.inferPath(), c.plain.request)
	return err
}
