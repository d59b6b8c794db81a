package oip

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

// The extension for binary tensors, which is no part of the protocol itself: it
// counts only where the server announces it.

const (
	binaryExtension = "binary_tensor_data"
	binaryHeader    = "Inference-Header-Content-Length"
)

func (c *conversation) offersBinary() error {
	m := c.metadata.server
	if m == nil || !slices.Contains(m.extensions, binaryExtension) {
		return skip("the server does not announce %s", binaryExtension)
	}
	if c.plain == nil {
		return skip("no plain inference was answered")
	}
	return nil
}

func testBinaryInput(ctx context.Context, c *conversation) error {
	if err := c.offersBinary(); err != nil {
		return err
	}
	request, err := c.sample(1)
	if err != nil {
		return err
	}
	var raw bytes.Buffer
	for i := range request.Inputs {
		in := &request.Inputs[i]
		data := bytes.Repeat(sampleBinary(in.Datatype), int(elements(in.Shape)))
		in.Data, in.Parameters = nil, map[string]any{"binary_data_size": len(data)}
		raw.Write(data)
	}
	head := request.encode()
	header := http.Header{"Content-Type": {"application/octet-stream"}, binaryHeader: {strconv.Itoa(len(head))}}
	x, err := c.send(ctx, http.MethodPost, c.inferPath(), header, slices.Concat(head, raw.Bytes()))
	if err == nil {
		err = x.ok()
	}
	if err == nil {
		_, err = parseInferResponse(x.body)
	}
	return err
}

func testBinaryOutput(ctx context.Context, c *conversation) error {
	if err := c.offersBinary(); err != nil {
		return err
	}
	request, err := c.sample(1)
	if err != nil {
		return err
	}
	request.Parameters = map[string]any{"binary_data_output": true}
	x, err := c.send(ctx, http.MethodPost, c.inferPath(), jsonContent(), request.encode())
	if err == nil {
		err = x.ok()
	}
	if err != nil {
		return err
	}
	length, err := strconv.Atoi(x.header.Get(binaryHeader))
	if err != nil || length < 0 || length > len(x.body) {
		return fmt.Errorf("the header %s is %q, and should be the length of the JSON in a body of %d bytes",
			binaryHeader, shorten(x.header.Get(binaryHeader), 40), len(x.body))
	}
	answer, err := parseInferResponse(x.body[:length])
	if err != nil {
		return err
	}
	outputs, err := answer.tensors()
	if err != nil {
		return err
	}
	return binaryFits(outputs, int64(len(x.body)-length))
}

// binaryFits compares the sizes that the outputs announce with their shapes and
// with what is there.
func binaryFits(outputs []outputTensor, there int64) error {
	announced := int64(0)
	for _, out := range outputs {
		size := int64(0)
		if err := out.parameters.need("binary_data_size", &size); err != nil {
			return fmt.Errorf("output %q: parameters: %w", shorten(out.name, 60), err)
		}
		one := int64(elementSize(out.datatype))
		if want := elements(out.shape); size < 0 || one > 0 && (want > there || size != want*one) {
			return fmt.Errorf("output %q: binary_data_size is %d, which does not fit %s of shape %s", shorten(out.name, 60), size, out.datatype, shapeText(out.shape))
		}
		if announced += min(size, there+1); announced > there {
			break
		}
	}
	if announced != there {
		return fmt.Errorf("the outputs announce %d bytes, and %d follow the JSON", announced, there)
	}
	return nil
}
