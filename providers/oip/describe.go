package oip

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// What a server says about itself and its model.

func testLive(ctx context.Context, c *conversation) error {
	x, err := c.get(ctx, "/v2/health/live")
	if err != nil {
		return err
	}
	return x.flag("live")
}

func testReady(ctx context.Context, c *conversation) error {
	x, err := c.get(ctx, "/v2/health/ready")
	if err != nil {
		return err
	}
	return firstError(x.flag("live"), x.flag("ready"))
}

// flag checks the one fact of a health answer, where its body states it. Servers
// that answer with the status alone are common.
func (x *exchange) flag(name string) error {
	if len(x.body) == 0 {
		return nil
	}
	o, err := parseObject(x.body)
	if err != nil {
		return err
	}
	good := true
	if err := o.may(name, &good); err != nil {
		return err
	}
	if !good {
		return fmt.Errorf("the status is 200, and the body says that %s is false", name)
	}
	return nil
}

func testServerMetadata(ctx context.Context, c *conversation) error {
	x, err := c.get(ctx, "/v2")
	if err != nil {
		return err
	}
	c.metadata.server, err = parseServerMetadata(x.body)
	return err
}

func testModelMetadata(ctx context.Context, c *conversation) error {
	if c.model == "" {
		return skip("it is not known which model to ask for")
	}
	x, err := c.get(ctx, modelPath(c.model))
	if err != nil {
		return err
	}
	m, err := parseModelMetadata(x.body)
	if err == nil {
		c.metadata.model, c.metadata.told = m, x
	}
	return err
}

// described turns to the metadata of the model, or skips.
func (c *conversation) described() (*modelMetadata, error) {
	if c.metadata.model == nil {
		return nil, skip("the model's metadata are not known")
	}
	c.last = c.metadata.told
	return c.metadata.model, nil
}

func testModelName(_ context.Context, c *conversation) error {
	m, err := c.described()
	if err == nil && m.name != c.model {
		err = fmt.Errorf("%q was asked for, and the metadata are of %q", c.model, m.name)
	}
	return err
}

func testModelTensors(_ context.Context, c *conversation) error {
	m, err := c.described()
	if err != nil {
		return err
	}
	return firstError(checkTensors("inputs", m.inputs), checkTensors("outputs", m.outputs))
}

func checkTensors(list string, tensors []tensor) error {
	if len(tensors) == 0 {
		return fmt.Errorf("%s is empty: clients cannot know what to send or expect", list)
	}
	seen := map[string]bool{}
	for i, t := range tensors {
		switch {
		case t.name == "":
			return fmt.Errorf("%s[%d] has an empty name", list, i)
		case seen[t.name]:
			return fmt.Errorf("%s has %q twice", list, shorten(t.name, 60))
		case slices.ContainsFunc(t.shape, func(size int64) bool { return size < -1 }):
			return fmt.Errorf("%s[%d] has the shape %s; a dimension is a size, or -1 where it varies", list, i, shapeText(t.shape))
		}
		seen[t.name] = true
	}
	return nil
}

func testModelDatatypes(_ context.Context, c *conversation) error {
	m, err := c.described()
	if err != nil {
		return err
	}
	for _, t := range slices.Concat(m.inputs, m.outputs) {
		if !knownType(t.datatype) {
			return fmt.Errorf("%q has the datatype %q, which the protocol has not", t.name, shorten(t.datatype, 40))
		}
	}
	return nil
}

func testModelReady(ctx context.Context, c *conversation) error {
	if c.model == "" {
		return skip("it is not known which model to ask for")
	}
	return c.modelReady(ctx, modelPath(c.model)+"/ready")
}

func (c *conversation) modelReady(ctx context.Context, path string) error {
	x, err := c.get(ctx, path)
	if err != nil {
		return err
	}
	if err := x.flag("ready"); err != nil || len(x.body) == 0 {
		return err
	}
	name := c.model
	o, err := parseObject(x.body)
	if err == nil {
		err = o.may("name", &name)
	}
	if err == nil && name != c.model {
		err = fmt.Errorf("%q was asked for, and the answer is about %q", c.model, name)
	}
	return err
}

// onlyModel finds the one model of a server that lists its models. The protocol
// has no such list; two widespread additions have.
func (s *server) onlyModel(ctx context.Context) (string, error) {
	names := s.listed(ctx)
	switch len(names) {
	case 0:
		return "", fmt.Errorf("say which model is meant (--model NAME): the server does not list its models")
	case 1:
		return names[0], nil
	}
	return "", fmt.Errorf("say which model is meant (--model NAME): the server has %s", shorten(strings.Join(names, ", "), maxShown))
}

func (s *server) listed(ctx context.Context) []string {
	if x, err := s.do(ctx, http.MethodGet, "/v2/models", nil, nil); err == nil && x.status == http.StatusOK {
		var list struct {
			Models []string `json:"models"`
		}
		if json.Unmarshal(x.body, &list) == nil && len(list.Models) > 0 {
			return list.Models
		}
	}
	x, err := s.do(ctx, http.MethodPost, "/v2/repository/index", jsonContent(), []byte("{}"))
	if err != nil || x.status != http.StatusOK {
		return nil
	}
	var index []struct {
		Name string `json:"name"`
	}
	if json.Unmarshal(x.body, &index) != nil {
		return nil
	}
	var names []string
	for _, entry := range index { // each version is an entry of its own
		if !slices.Contains(names, entry.Name) {
			names = append(names, entry.Name)
		}
	}
	return names
}
