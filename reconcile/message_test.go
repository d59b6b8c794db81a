package reconcile_test

import (
	"reflect"
	"testing"

	"github.com/fairlead/fairlead/reconcile"
	"github.com/fairlead/fairlead/spec/schema"
)

// The templates of notifiers are checked against the fields that a message has.
func TestTheLanguageKnowsTheFieldsOfAMessage(t *testing.T) {
	var fields []string
	for field := range reflect.TypeFor[reconcile.Message]().Fields() {
		fields = append(fields, field.Name)
	}
	if known := schema.MessageFields(); !reflect.DeepEqual(fields, known) {
		t.Errorf("a message has\n%q\nand the language knows\n%q", fields, known)
	}
}
