//! Monitoring files in `deploy`: the alerts and the dashboard must query only metrics, labels and values that exist.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::LazyLock,
};

use regex::Regex;
use serde_json::{Value, json};

use crate::{
    support::process::{Deployment, PASSWORD},
    telemetry::{scrape, start_with_metrics},
};

/// The labels that Prometheus adds to every series of a target. If the series has such a label of its own, Prometheus
/// renames it with the prefix `exported_`.
const TARGET: [&str; 2] = ["job", "instance"];

/// A label of an exported series.
static LABEL: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"(\w+)="([^"]*)""#).unwrap());
/// A token of `PromQL`.
static TOKEN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#""[^"]*"|[A-Za-z_:][\w:]*|\$\w+|\d[\w.]*|[=!]~|[=!<>]=|\S"#).unwrap());
/// A label in a template.
static TEMPLATE_LABEL: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}").unwrap());

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

fn yaml(file: &str) -> Value {
    serde_yaml::from_str(&read(file)).unwrap()
}

/// The three files that Prometheus and Grafana read.
struct Files {
    prometheus: Value,
    alerts: Value,
    dashboard: Value,
}

impl Files {
    fn read() -> Self {
        let dashboard = serde_json::from_str(&read("deploy/grafana.json")).unwrap();
        Self { prometheus: yaml("deploy/prometheus.yml"), alerts: yaml("deploy/alerts.yaml"), dashboard }
    }

    /// Returns the files with every `from` replaced by `to`. `from` must occur.
    fn with(&self, from: &str, to: &str) -> Self {
        let texts = [&self.prometheus, &self.alerts, &self.dashboard].map(ToString::to_string);
        let [from, to] = [from, to].map(|text| text.replace('"', "\\\""));
        assert!(texts.iter().any(|text| text.contains(&from)), "{from} does not occur");
        let [prometheus, alerts, dashboard] =
            texts.map(|text| serde_json::from_str(&text.replace(&from, &to)).unwrap());
        Self { prometheus, alerts, dashboard }
    }

    fn alerts(&self) -> Vec<&Value> {
        let groups = self.alerts["groups"].as_array().unwrap().iter();
        groups.flat_map(|group| group["rules"].as_array().unwrap()).collect()
    }

    fn panels(&self) -> &[Value] {
        self.dashboard["panels"].as_array().unwrap()
    }

    fn variables(&self) -> &[Value] {
        self.dashboard["templating"]["list"].as_array().unwrap()
    }
}

/// Returns the text of a JSON string.
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a string"))
}

/// The exported metrics, as Prometheus sees them.
#[derive(Default)]
struct Exported {
    /// The series of each metric family.
    families: BTreeMap<String, BTreeSet<String>>,
    /// The values of each label of each series. No values means that any value may occur.
    labels: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

impl Exported {
    fn of(scrape: &str, files: &Files) -> Self {
        let jobs = files.prometheus["scrape_configs"].as_array().unwrap().iter();
        let jobs = jobs.map(|job| text(&job["job_name"]).to_owned()).collect::<BTreeSet<_>>();
        let target = BTreeMap::from([("job".to_owned(), jobs), ("instance".to_owned(), BTreeSet::new())]);
        let mut exported = Self { labels: [("up".to_owned(), target.clone())].into(), ..Self::default() };
        let mut family = String::new();
        for line in scrape.lines() {
            if let Some(described) = line.strip_prefix("# TYPE ") {
                described.split(' ').next().unwrap().clone_into(&mut family);
                exported.families.entry(family.clone()).or_default();
            } else if !line.starts_with('#') {
                let name = line.split(['{', ' ']).next().unwrap();
                exported.families.get_mut(&family).unwrap().insert(name.to_owned());
                let labels = exported.labels.entry(name.to_owned()).or_insert_with(|| target.clone());
                for found in LABEL.captures_iter(line) {
                    let prefix = if TARGET.contains(&&found[1]) { "exported_" } else { "" };
                    labels.entry(format!("{prefix}{}", &found[1])).or_default().insert(found[2].to_owned());
                }
            }
        }
        exported
    }
}

/// A series that an expression selects.
#[derive(Debug, Default)]
struct Selector {
    name: String,
    /// Label, operator and value of each matcher.
    matchers: Vec<[String; 3]>,
    /// The labels of each enclosing `by`.
    by: Vec<Vec<String>>,
}

/// Returns the series that a `PromQL` expression selects. It supports only grouping as `by (…) (…)`, and no vector
/// matching by selected labels.
fn selectors(expression: &str) -> Result<Vec<Selector>, String> {
    let tokens = TOKEN.find_iter(expression).map(|found| found.as_str()).collect::<Vec<_>>();
    let mut rest = tokens.iter().copied().peekable();
    let (mut open, mut pending, mut found) = (Vec::new(), None, Vec::<Selector>::new());
    while let Some(token) = rest.next() {
        match token {
            "by" => {
                let labels =
                    rest.by_ref().take_while(|token| *token != ")").filter(|token| !["(", ","].contains(token));
                pending = Some(labels.map(ToOwned::to_owned).collect::<Vec<_>>());
                if rest.peek() != Some(&"(") {
                    return Err("by must precede the grouped expression".to_owned());
                }
            }
            "(" => open.push(pending.take()),
            ")" => drop(open.pop()),
            "[" => drop(rest.by_ref().find(|token| *token == "]")),
            "{" => {
                let inner = rest.by_ref().take_while(|token| *token != "}").filter(|token| *token != ",");
                let inner = inner.map(|token| token.trim_matches('"').to_owned()).collect::<Vec<_>>();
                let (triples, remainder) = inner.as_chunks::<3>();
                let selector = found.last_mut().filter(|_| remainder.is_empty()).ok_or("a matcher is malformed")?;
                selector.matchers = triples.to_vec();
            }
            "and" | "or" | "unless" | "bool" => {}
            "without" | "on" | "ignoring" | "group_left" | "group_right" | "offset" => {
                return Err(format!("{token} is not supported here"));
            }
            name if name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') => {
                let is_function = matches!(rest.peek(), Some(&"(" | &"by"));
                let by = open.iter().flatten().cloned().collect();
                let selector = Selector { name: name.to_owned(), by, ..Selector::default() };
                found.extend(Some(selector).filter(|_| !is_function));
            }
            _ => {}
        }
    }
    if found.is_empty() { Err("it selects no series".to_owned()) } else { Ok(found) }
}

/// Returns the faults of a selector.
fn selector_faults(selector: &Selector, exported: &Exported, variables: &BTreeSet<&str>) -> Vec<String> {
    let name = &selector.name;
    let Some(labels) = exported.labels.get(name) else { return vec![format!("{name} is not exported")] };
    let mut faults = Vec::new();
    for label in selector.by.iter().flatten().filter(|label| !labels.contains_key(*label)) {
        faults.push(format!("{name} has no label {label}"));
    }
    if name.ends_with("_bucket") && !selector.by.iter().all(|by| by.iter().any(|label| label == "le")) {
        faults.push(format!("{name} is grouped without le"));
    }
    for [label, operator, value] in &selector.matchers {
        let Some(values) = labels.get(label) else {
            faults.push(format!("{name} has no label {label}"));
            continue;
        };
        if let Some(variable) = value.strip_prefix('$') {
            if !variables.contains(variable) {
                faults.push(format!("there is no variable {variable}"));
            }
            continue;
        }
        let patterns = if operator.ends_with('~') { value.split('|').collect() } else { vec![value.as_str()] };
        for pattern in patterns {
            let plain = !operator.ends_with('~') || pattern.chars().all(char::is_alphanumeric);
            let some = if plain {
                values.contains(pattern)
            } else {
                let whole = Regex::new(&format!("^(?:{pattern})$")).unwrap();
                values.iter().any(|value| whole.is_match(value))
            };
            if !some {
                faults.push(format!("{label} of {name} is never {pattern}"));
            }
        }
    }
    faults
}

/// Returns the labels that a template uses: `{{ $labels.job }}` in an alert, `{{job}}` in a legend.
fn template_labels(template: &str) -> Vec<String> {
    TEMPLATE_LABEL.captures_iter(template).map(|found| found[1].to_owned()).collect()
}

/// Returns the faults of an expression and its templates, and the series that it selects.
fn check_expression(
    expression: &str,
    templates: &[&str],
    exported: &Exported,
    variables: &BTreeSet<&str>,
) -> (Vec<String>, BTreeSet<String>) {
    let selectors = match selectors(expression) {
        Ok(selectors) => selectors,
        Err(fault) => return (vec![fault], BTreeSet::new()),
    };
    let mut faults =
        selectors.iter().flat_map(|selector| selector_faults(selector, exported, variables)).collect::<Vec<_>>();
    for label in templates.iter().flat_map(|template| template_labels(template)) {
        let kept = |selector: &Selector| match selector.by.first() {
            Some(by) => by.contains(&label),
            None => exported.labels.get(&selector.name).is_some_and(|labels| labels.contains_key(&label)),
        };
        if !selectors.iter().all(kept) {
            faults.push(format!("the result has no label {label}"));
        }
    }
    (faults, selectors.into_iter().map(|selector| selector.name).collect())
}

/// Returns everything that the files query but the service does not export, and every exported metric that the
/// dashboard does not show.
fn faults(files: &Files, exported: &Exported) -> Vec<String> {
    let (mut faults, mut seen) = (Vec::new(), BTreeSet::new());
    let mut check = |place: &str, expression: &str, templates: &[&str], variables: &BTreeSet<&str>| {
        let (found, names) = check_expression(expression, templates, exported, variables);
        faults.extend(found.into_iter().map(|fault| format!("{place}: {fault} ({expression})")));
        names
    };
    for alert in files.alerts() {
        let annotations = alert["annotations"].as_object().unwrap().values();
        let templates = annotations.map(text).collect::<Vec<_>>();
        check(text(&alert["alert"]), text(&alert["expr"]), &templates, &BTreeSet::new());
    }
    let variables = files.variables().iter().map(|variable| text(&variable["name"])).collect::<BTreeSet<_>>();
    for panel in files.panels() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let legend = text(&target["legendFormat"]);
            seen.extend(check(text(&panel["title"]), text(&target["expr"]), &[legend], &variables));
        }
    }
    let values = Regex::new(r"^label_values\((.+), (\w+)\)$").unwrap();
    for variable in files.variables().iter().filter(|variable| variable["type"] == "query") {
        let query = text(&variable["query"]["query"]);
        let [series, label] = values.captures(query).unwrap().extract().1;
        check(text(&variable["name"]), &format!("count by ({label}) ({series})"), &[], &variables);
    }
    let missing = exported.families.iter().filter(|(_, series)| series.is_disjoint(&seen));
    faults.extend(missing.map(|(family, _)| format!("the dashboard does not show {family}")));
    faults
}

/// Returns the metrics of a service that has handled a request of each kind.
async fn scrape_used_service() -> String {
    let deployment = Deployment::new().await;
    let (server, url) = start_with_metrics(&deployment);
    let tokens = server.sign_up("john").await;
    let change = json!({ "current_password": PASSWORD, "new_password": "another one" });
    let changed = server.call("POST", "/me/password").bearer(&tokens.access).json(&change).send().await;
    assert_eq!(changed.status, 204);
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(server.get(path).send().await.status, 200, "{path}");
    }
    let db = deployment.connect().await;
    sea_orm::ConnectionTrait::execute_unprepared(&db, "DROP TABLE audit_head").await.unwrap();
    server.register("jane").await.is_problem(500, "internal");
    scrape(&url).await
}

#[apply(trial)]
async fn alerts_and_dashboard_query_only_exported_metrics() {
    let files = Files::read();
    let exported = Exported::of(&scrape_used_service().await, &files);
    assert!(exported.families.len() >= 15, "{:?}", exported.families.keys());
    assert_eq!(faults(&files, &exported), Vec::<String>::new());
}

#[apply(trial)]
async fn injected_faults_in_expressions_are_detected() {
    let (files, scrape) = (Files::read(), scrape_used_service().await);
    for (from, to, fault) in [
        ("vestibule_logins_total", "vestibule_sign_ins_total", "vestibule_sign_ins_total is not exported"),
        ("vestibule_hash_duration_seconds_sum", "vestibule_hash_duration_sum", "vestibule_hash_duration_sum is not"),
        ("vestibule_sessions_opened_total", "vestibule_sessions_opened", "vestibule_sessions_opened is not exported"),
        ("vestibule_sessions_opened_total", "sessions_opened_total", "sessions_opened_total is not exported"),
        ("by (limit)", "by (address)", "vestibule_rate_limited_requests_total has no label address"),
        ("{{limit}}", "{{kind}}", "the result has no label kind"),
        ("$labels.limit", "$labels.kind", "the result has no label kind"),
        ("task", "activity", "vestibule_job_runs_total has no label activity"),
        ("{outcome=\"busy\"}", "{result=\"busy\"}", "vestibule_logins_total has no label result"),
        ("outcome=\"busy\"", "outcome=\"full\"", "outcome of vestibule_logins_total is never full"),
        ("kind=\"unavailable\"", "kind=\"reused\"", "kind of vestibule_database_errors_total is never reused"),
        (
            "login|register",
            "login|signUp",
            "operation of vestibule_http_server_request_duration_seconds_bucket is never signUp",
        ),
        ("status=~\"5..\"", "status=~\"6..\"", "status of vestibule_http_server_requests_total is never 6.."),
        ("job=\"vestibule\"", "job=\"another\"", "job of up is never another"),
        ("job=~\"$job\"", "job=~\"$service\"", "there is no variable service"),
        ("by (operation, le)", "by (operation)", "is grouped without le"),
        (
            "vestibule_hash_queue_length",
            "vestibule_hash_queue_wait_seconds_sum",
            "does not show vestibule_hash_queue_length",
        ),
        ("sum by (limit) (", "sum without (limit) (", "without is not supported here"),
    ] {
        let injected = files.with(from, to);
        let found = faults(&injected, &Exported::of(&scrape, &injected));
        assert!(found.iter().any(|found| found.contains(fault)), "{from} -> {to}: {found:#?}");
    }
    let mut renamed = Files::read();
    renamed.prometheus["scrape_configs"][0]["job_name"] = json!("another");
    let found = faults(&renamed, &Exported::of(&scrape, &renamed));
    assert!(found.iter().any(|found| found.contains("job of up is never vestibule")), "{found:#?}");
    let grown = format!("{scrape}# TYPE vestibule_mails counter\nvestibule_mails_total 0\n");
    assert_eq!(faults(&files, &Exported::of(&grown, &files)), ["the dashboard does not show vestibule_mails"]);
    let empty = format!("{scrape}# TYPE vestibule_mails counter\n");
    assert_eq!(faults(&files, &Exported::of(&empty, &files)), ["the dashboard does not show vestibule_mails"]);
}

#[apply(trial)]
async fn every_alert_has_a_severity_a_summary_and_a_description() {
    let files = Files::read();
    let loaded = files.prometheus["rule_files"].as_array().unwrap();
    assert_eq!(loaded, &[json!("alerts.yaml")]);
    let (mut names, span) = (BTreeSet::new(), Regex::new(r"^\d+[smh]$").unwrap());
    for alert in files.alerts() {
        let name = text(&alert["alert"]);
        assert!(name.starts_with("Vestibule") && names.insert(name), "{name}");
        let keys = alert.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>();
        assert_eq!(keys, ["alert", "expr", "for", "labels", "annotations"], "{name}");
        assert!(span.is_match(text(&alert["for"])), "{name}");
        assert!(["critical", "warning", "info"].contains(&text(&alert["labels"]["severity"])), "{name}");
        let (summary, description) = (text(&alert["annotations"]["summary"]), &alert["annotations"]["description"]);
        assert!(summary.ends_with(['.', ')']) && text(description).len() > summary.len(), "{name}");
    }
    assert!(names.len() >= 12, "{names:?}");
}

#[apply(trial)]
async fn dashboard_has_stable_ids_and_a_data_source_variable() {
    let files = Files::read();
    assert_eq!((&files.dashboard["id"], &files.dashboard["uid"]), (&Value::Null, &json!("vestibule")));
    let names = files.variables().iter().map(|variable| text(&variable["name"])).collect::<Vec<_>>();
    assert_eq!(names, ["datasource", "job", "instance"]);
    let source = json!({ "type": "prometheus", "uid": "${datasource}" });
    let ids = files.panels().iter().map(|panel| panel["id"].as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
    let (rows, panels): (Vec<_>, Vec<_>) = files.panels().iter().partition(|panel| panel["type"] == "row");
    let rows = rows.into_iter().map(|row| text(&row["title"])).collect::<Vec<_>>();
    assert_eq!(rows, ["Requests", "Logins and sessions", "Hashing", "Database", "Jobs and build"]);
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let with_data_source = panels.iter().copied().chain(targets).chain(&files.variables()[1..]);
    let own = with_data_source.filter(|with_data_source| with_data_source["datasource"] != source).collect::<Vec<_>>();
    assert!(own.is_empty(), "{own:#?}");
}

#[apply(trial)]
async fn commands_settings_and_defaults_in_the_files_exist() {
    let texts = ["alerts.yaml", "grafana.json", "prometheus.yml", "README.md"];
    let texts = texts.map(|file| read(&format!("deploy/{file}"))).concat();
    let settings = read("docs/configuration.md");
    let known = [read("docs/operations.md"), read("docs/security-design.md"), settings.clone()].concat();
    let named = Regex::new(r"\bVESTIBULE_[A-Z_]+\b|\bvestibule (?:user|keys|audit) [a-z]+").unwrap();
    let [named, known_names] =
        [&texts, &known].map(|text| named.find_iter(text).map(|found| found.as_str()).collect::<BTreeSet<_>>());
    assert!(named.len() >= 10, "{named:?}");
    assert_eq!(named.difference(&known_names).collect::<Vec<_>>(), Vec::<&&str>::new());
    let defaults = Regex::new(r"(VESTIBULE_[A-Z_]+)[a-z\s]*\((\w+) by default\)").unwrap();
    let defaults = defaults.captures_iter(&texts).map(|found| format!("| `{}` | `{}` |", &found[1], &found[2]));
    let defaults = defaults.collect::<Vec<_>>();
    assert_eq!(defaults.len(), texts.matches("by default").count());
    assert_eq!(defaults.iter().filter(|row| !settings.contains(*row)).collect::<Vec<_>>(), Vec::<&String>::new());
    let kinds = Regex::new("audit list --kind ([a-z_]+)").unwrap();
    for kind in kinds.captures_iter(&texts) {
        assert!(known.contains(&format!("`{}`", &kind[1])), "{} is not an event kind", &kind[1]);
    }
}
