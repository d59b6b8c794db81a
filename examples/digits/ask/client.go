package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/fairlead/fairlead/examples/digits/data"
	"github.com/fairlead/fairlead/examples/digits/internal/oip"
)

// client asks one model.
type client struct {
	url  string // http://HOST/v2/models/NAME
	http *http.Client
}

// answer is what the model reads in one picture.
type answer struct {
	digit       int
	probability float64
	model       string // name and version
	took        time.Duration
}

func (c *client) ask(ctx context.Context, d data.Digit) (answer, error) {
	request, err := inferRequest(d)
	if err != nil {
		return answer{}, err
	}
	body, err := json.Marshal(request)
	if err != nil {
		return answer{}, fmt.Errorf("encode row %d: %w", d.Row, err)
	}
	start := time.Now()
	text, err := c.post(ctx, strings.TrimSuffix(c.url, "/")+"/infer", body)
	if err != nil {
		return answer{}, err
	}
	a, err := readAnswer(text)
	a.took = time.Since(start)
	return a, err
}

// inferRequest is the request for one or more digits. The labels go along as a
// parameter, which servers ignore: so a recorded request tells what it shows.
func inferRequest(digits ...data.Digit) (*oip.InferRequest, error) {
	pixels := make([][data.Pixels]float64, len(digits))
	var labels strings.Builder
	for i, d := range digits {
		pixels[i] = d.Pixels
		fmt.Fprint(&labels, d.Label)
	}
	encoded, err := json.Marshal(pixels)
	if err != nil {
		return nil, fmt.Errorf("encode pixels: %w", err)
	}
	return &oip.InferRequest{
		Parameters: oip.Parameters{"labels": labels.String()},
		Inputs: []oip.RequestInput{{
			Name: "pixels", Shape: []int64{int64(len(digits)), data.Pixels}, Datatype: oip.FP32, Data: encoded,
		}},
	}, nil
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 1 << 20

func (c *client) post(ctx context.Context, url string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", url, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s: %s", url, response.Status, reason(text))
	}
	return text, nil
}

// reason is the message of the protocol's error form, or what came instead.
func reason(text []byte) string {
	var refusal oip.Error
	if err := json.Unmarshal(text, &refusal); err == nil && refusal.Message != "" {
		return refusal.Message
	}
	return string(text[:min(len(text), 200)])
}

func readAnswer(text []byte) (answer, error) {
	var response struct {
		ModelName    string `json:"model_name"`
		ModelVersion string `json:"model_version"`
		Outputs      []struct {
			Name string    `json:"name"`
			Data []float64 `json:"data"`
		} `json:"outputs"`
	}
	if err := json.Unmarshal(text, &response); err != nil {
		return answer{}, fmt.Errorf("the answer is not an inference response: %w", err)
	}
	a := answer{digit: -1, model: strings.TrimSpace(response.ModelName + " " + response.ModelVersion)}
	var probabilities []float64
	for _, output := range response.Outputs {
		switch {
		case output.Name == "digit" && len(output.Data) == 1:
			a.digit = int(output.Data[0])
		case output.Name == "probabilities":
			probabilities = output.Data
		}
	}
	if a.digit < 0 || a.digit >= len(probabilities) {
		return answer{}, fmt.Errorf("the answer of %s holds no digit with its probability: %s", a.model, text[:min(len(text), 200)])
	}
	a.probability = probabilities[a.digit]
	return a, nil
}
