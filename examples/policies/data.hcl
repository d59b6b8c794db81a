# What must be known about data before models learn from it.

policy "data_described" {
  description = "Where data comes from, when it was collected, and on what terms, is written down."
  for         = dataset
  require     = length(dataset.description) >= 10 && dataset.license != null && dataset.collected != null
  regulation  = "EU AI Act, Art. 10(2)(b)"
  message     = "Add description, license and collected to the dataset."
}

policy "data_checked" {
  description = "Data is checked for errors and gaps on every run."
  for         = dataset
  require     = dataset.expectations > 0
  regulation  = "EU AI Act, Art. 10(3)"
  message     = "Add expect blocks: how many rows there must be, and what the columns that matter may hold."
}

policy "data_current" {
  description = "Data older than three years needs somebody who says that the world it shows is still ours."
  for         = dataset
  level       = soft
  require     = dataset.age_days <= 3 * 365 || try(dataset.labels.still_representative, "no") == "yes"
  regulation  = "EU AI Act, Art. 10(3)"
  message     = "Collect newer data, or set the label still_representative to yes, with the reason in the commit message."
}

policy "personal_data" {
  description = "Personal data has a purpose and a legal basis, and stays in the European Economic Area."
  for         = dataset
  where       = dataset.personal
  require = alltrue([
    dataset.labels.purpose != null,
    contains(["consent", "contract", "legal_obligation", "vital_interests", "public_task", "legitimate_interests"], dataset.labels.legal_basis),
    contains([
      "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT", "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
    ], dataset.region),
  ])
  regulation = "GDPR, Art. 5(1)(b), 6(1), 44; EU AI Act, Art. 10(2)(b)"
  message    = "Set region, and the labels purpose and legal_basis; ask the data protection officer about data from elsewhere."
}

policy "personal_data_retention" {
  description = "Personal data is not kept for longer than two years after it was collected."
  for         = dataset
  where       = dataset.personal
  require     = dataset.age_days <= 2 * 365
  regulation  = "GDPR, Art. 5(1)(e)"
  message     = "Delete it, or anonymise it and set personal = false. Two years is this pack's figure: put your own here."
}
