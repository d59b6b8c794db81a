package oip

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Requests that must be refused.

// noSuch is the name of nothing.
const noSuch = "fairlead-no-such-thing"

// refused wants a status of class 4xx, and the reason in the protocol's form. A
// status of 5xx says that the server is at fault, which clients answer by trying
// again; a wrong request must not have that effect.
func (c *conversation) refused(ctx context.Context, method, path string, body []byte) error {
	header := http.Header{}
	if body != nil {
		header = jsonContent()
	}
	x, err := c.send(ctx, method, path, header, body)
	if err != nil {
		return err
	}
	if x.status/100 != 4 && x.status != http.StatusNotImplemented {
		return fmt.Errorf("the status is %d, and should be one of 4xx, typically 400%s", x.status, saying(x))
	}
	o, err := parseObject(x.body)
	if err != nil {
		return err
	}
	message := ""
	if err := o.need("error", &message); err != nil {
		return err
	}
	if strings.TrimSpace(message) == "" {
		return fmt.Errorf("the field \"error\" is empty, and should say what is wrong")
	}
	if !x.isJSON() {
		c.untypedRefusal = cmp.Or(c.untypedRefusal, x)
	}
	return nil
}

// refusedRequest is refused for a plain request that was changed.
func (c *conversation) refusedRequest(ctx context.Context, change func(*inferRequest) error) error {
	request, err := c.sample(1)
	if err != nil {
		return err
	}
	if len(request.Inputs) == 0 {
		return skip("the metadata declare no input")
	}
	if err := change(request); err != nil {
		return err
	}
	return c.refused(ctx, http.MethodPost, c.inferPath(), request.encode())
}

func testUnknownModel(ctx context.Context, c *conversation) error {
	return c.refused(ctx, http.MethodGet, modelPath(noSuch), nil)
}

func testUnknownModelInfer(ctx context.Context, c *conversation) error {
	body := []byte(`{"inputs":[]}`)
	if request, err := c.sample(1); err == nil {
		body = request.encode()
	}
	return c.refused(ctx, http.MethodPost, modelPath(noSuch)+"/infer", body)
}

func testMalformed(ctx context.Context, c *conversation) error {
	if c.model == "" {
		return skip("it is not known which model to ask")
	}
	return c.refused(ctx, http.MethodPost, c.inferPath(), []byte(`{"inputs": [`))
}

func testMissingInputs(ctx context.Context, c *conversation) error {
	if c.model == "" {
		return skip("it is not known which model to ask")
	}
	return c.refused(ctx, http.MethodPost, c.inferPath(), []byte(`{"id": "1"}`))
}

func testUnknownInput(ctx context.Context, c *conversation) error {
	return c.refusedRequest(ctx, func(r *inferRequest) error {
		r.Inputs[0].Name = noSuch
		return nil
	})
}

func testUnknownOutput(ctx context.Context, c *conversation) error {
	return c.refusedRequest(ctx, func(r *inferRequest) error {
		r.Outputs = []requestedOutput{{Name: noSuch}}
		return nil
	})
}

func testWrongShape(ctx context.Context, c *conversation) error {
	return c.refusedRequest(ctx, func(r *inferRequest) error {
		r.Inputs[0].Shape = append([]int64{1}, r.Inputs[0].Shape...)
		return nil
	})
}

func testWrongLength(ctx context.Context, c *conversation) error {
	return c.refusedRequest(ctx, func(r *inferRequest) error {
		in := &r.Inputs[0]
		one := sampleData(nil, in.Datatype, false)
		n := elements(in.Shape) + 1
		in.Data = array(string(one[1:len(one)-1]), n)
		return nil
	})
}

func testWrongDatatype(ctx context.Context, c *conversation) error {
	return c.refusedRequest(ctx, func(r *inferRequest) error {
		i := slices.IndexFunc(r.Inputs, func(in inputTensor) bool { return in.Datatype != typeBytes })
		if i < 0 {
			return skip("every input is BYTES, which any text is")
		}
		in := &r.Inputs[i]
		in.Datatype, in.Data = typeBytes, json.RawMessage(array(`"no number"`, elements(in.Shape)))
		return nil
	})
}

func testUnknownDatatype(ctx context.Context, c *conversation) error {
	return c.refusedRequest(ctx, func(r *inferRequest) error {
		r.Inputs[0].Datatype = "FP99"
		return nil
	})
}

func testContentType(_ context.Context, c *conversation) error { return c.typed(c.untyped) }

func testErrorContentType(_ context.Context, c *conversation) error {
	return c.typed(c.untypedRefusal)
}

// typed looks at what earlier tests came by.
func (c *conversation) typed(first *exchange) error {
	if c.last = first; first == nil {
		return nil
	}
	return fmt.Errorf("the Content-Type is %q, and should be application/json", shorten(first.header.Get("Content-Type"), 60))
}
