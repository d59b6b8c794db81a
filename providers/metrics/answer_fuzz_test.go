package metrics

import "testing"

func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1,"NaN"]}]}}`,
		`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{"count":"3","sum":"2","buckets":[[3,"-1","1","3"]]}]}]}}`,
		`{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}`,
		`{"status":"error","errorType":"bad_data","error":"no"}`,
		`{"status":"success","data":{"resultType":"vector","result":[null,{"value":null},{"histogram":[1,null]}]}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := parseAnswer(body)
		if err != nil {
			return
		}
		samples, err := a.Data.samples()
		if err != nil {
			return
		}
		for _, s := range samples {
			if s.Labels == nil || s.Histogram != nil && s.Value != 0 {
				t.Errorf("sample %+v has no labels, or a value beside its histogram", s)
			}
		}
	})
}
