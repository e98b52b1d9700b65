//! Which pages a bucket's CORS rules let in, and the rules that let in those that should be. Pure.

use super::element::Element;

/// Names our rule among a bucket's.
const ID: &str = "towline";
/// What pages do with a bucket: read, send parts and forms, and, with a key of their own, all of a multipart upload.
pub const METHODS: [&str; 5] = ["GET", "PUT", "POST", "HEAD", "DELETE"];
/// What pages may have to send. Rules that allow less keep some client out.
const HEADERS: [&str; 5] =
    ["content-type", "content-md5", "authorization", "x-amz-date", "x-amz-content-sha256"];
/// Without it no client can complete an upload.
const TAG: &str = "ETag";
const MAX_AGE_SECONDS: u32 = 3600;

/// What keeps the pages of an origin out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gap {
    pub origin: String,
    /// What they cannot do.
    pub methods: Vec<&'static str>,
    /// They may send parts, and cannot read the `ETag` of the answer.
    pub hides_tag: bool,
}

/// The rules of a bucket, as its document tells them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    pub document: Element,
}

impl Cors {
    pub fn none() -> Self {
        Self { document: Element::new("CORSConfiguration") }
    }

    fn rules(&self) -> impl Iterator<Item = &Element> {
        self.document.all("CORSRule")
    }

    pub fn count(&self) -> usize {
        self.rules().count()
    }

    /// What keeps pages of these origins out. An origin may have one `*`.
    pub fn gaps(&self, origins: &[String]) -> Vec<Gap> {
        origins.iter().filter_map(|origin| self.gap(origin)).collect()
    }

    fn gap(&self, origin: &str) -> Option<Gap> {
        let sample = sample(origin);
        let mut gap = Gap { origin: origin.to_owned(), ..Gap::default() };
        for method in METHODS {
            let mut fitting = self.rules().filter(|rule| admits(rule, &sample, method)).peekable();
            // The first rule that fits a request is the only one that counts for what may be read of the answer.
            let exposes = fitting.peek().is_some_and(|rule| any(rule, "ExposeHeader", TAG));
            let passes = fitting.any(|rule| HEADERS.iter().all(|name| any(rule, "AllowedHeader", name)));
            if !passes {
                gap.methods.push(method);
            } else if method == "PUT" && !exposes {
                gap.hides_tag = true;
            }
        }
        (gap.hides_tag || !gap.methods.is_empty()).then_some(gap)
    }

    /// The same rules, and before them ours, which lets in pages of these origins and of those that it let in before.
    /// It comes first since only the first that fits counts, and exposes what the others would have.
    #[must_use]
    pub fn with_ours(&self, origins: &[String]) -> Self {
        let (ours, others): (Vec<&Element>, Vec<&Element>) =
            self.document.children.iter().partition(|rule| rule.said("ID") == Some(ID));
        let mut admitted: Vec<String> = ours.iter().flat_map(|rule| rule.texts("AllowedOrigin")).collect();
        admitted.extend_from_slice(origins);
        let mut exposed = vec![TAG.to_owned()];
        for rule in &others {
            let is_covered = admitted.iter().any(|origin| any(rule, "AllowedOrigin", &sample(origin)));
            exposed.extend(rule.texts("ExposeHeader").into_iter().filter(|_| is_covered));
        }
        exposed.extend(ours.iter().flat_map(|rule| rule.texts("ExposeHeader")));
        let list = |name: &str, texts: Vec<String>| {
            let mut once: Vec<String> = Vec::new();
            for text in texts {
                if !once.iter().any(|known| known.eq_ignore_ascii_case(&text)) {
                    once.push(text);
                }
            }
            once.into_iter().map(|text| Element::text(name, text)).collect::<Vec<_>>()
        };
        let mut rule = vec![Element::text("ID", ID)];
        rule.extend(list("AllowedOrigin", admitted));
        rule.extend(METHODS.map(|method| Element::text("AllowedMethod", method)));
        rule.push(Element::text("AllowedHeader", "*"));
        rule.extend(list("ExposeHeader", exposed));
        rule.push(Element::text("MaxAgeSeconds", MAX_AGE_SECONDS.to_string()));
        let rules = std::iter::once(Element::with("CORSRule", rule)).chain(others.into_iter().cloned());
        Self { document: Element::with("CORSConfiguration", rules.collect()) }
    }
}

fn admits(rule: &Element, origin: &str, method: &str) -> bool {
    any(rule, "AllowedOrigin", origin) && any(rule, "AllowedMethod", method)
}

fn any(rule: &Element, name: &str, text: &str) -> bool {
    rule.all(name).any(|pattern| fits(&pattern.text, text))
}

/// Patterns of S3 have at most one `*`.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.trim().to_ascii_lowercase(), text.to_ascii_lowercase());
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => {
            text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end)
        }
    }
}

/// One origin of those that a pattern means: a rule that lets it in is one for the pattern.
pub(super) fn sample(pattern: &str) -> String {
    match pattern {
        "*" => "https://towline.invalid".to_owned(),
        pattern => pattern.replace('*', "5173"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(rules: &str) -> Cors {
        let body = format!("<CORSConfiguration>{rules}</CORSConfiguration>");
        Cors { document: Element::parse(body.as_bytes()).unwrap() }
    }

    fn origins(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    const ALL: &str = "<AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT</AllowedMethod>\
        <AllowedMethod>POST</AllowedMethod><AllowedMethod>HEAD</AllowedMethod>\
        <AllowedMethod>DELETE</AllowedMethod><AllowedHeader>*</AllowedHeader>";

    #[test]
    fn rules_are_read_as_s3_reads_them() {
        let wanted = origins(&["http://localhost:*", "https://app.example"]);
        let open = format!(
            "<CORSRule><AllowedOrigin>*</AllowedOrigin>{ALL}<ExposeHeader>etag</ExposeHeader></CORSRule>"
        );
        assert_eq!(cors(&open).gaps(&wanted), []);
        let local = open.replace("<AllowedOrigin>*<", "<AllowedOrigin>http://localhost:*<");
        let gaps = cors(&local).gaps(&wanted);
        assert_eq!(gaps, [Gap { origin: wanted[1].clone(), methods: METHODS.to_vec(), hides_tag: false }]);
        let hidden = open.replace("<ExposeHeader>etag</ExposeHeader>", "");
        let gaps = cors(&format!("{hidden}{open}")).gaps(&wanted[..1]);
        assert_eq!(gaps, [Gap { origin: wanted[0].clone(), methods: vec![], hides_tag: true }]);
        let no_delete = open.replace("<AllowedMethod>DELETE</AllowedMethod>", "");
        assert_eq!(cors(&no_delete).gaps(&wanted[..1])[0].methods, ["DELETE"]);
        let few = open.replace("<AllowedHeader>*<", "<AllowedHeader>x-amz-*<");
        assert_eq!(cors(&few).gaps(&wanted[..1])[0].methods, METHODS);
        assert_eq!(Cors::none().gaps(&wanted).len(), 2);
    }

    #[test]
    fn our_rule_comes_first_and_takes_nothing_away() {
        let wanted = origins(&["https://app.example"]);
        let other = "<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>\
                     <ExposeHeader>x-amz-request-id</ExposeHeader></CORSRule>";
        let before = cors(other);
        assert_eq!(before.gaps(&wanted)[0].methods, METHODS);
        let merged = before.with_ours(&wanted);
        assert_eq!(merged.gaps(&wanted), []);
        assert_eq!(merged.count(), 2);
        assert_eq!(merged.document.children[1], before.document.children[0]);
        assert_eq!(merged.document.children[0].texts("ExposeHeader"), ["ETag", "x-amz-request-id"]);
        let more = origins(&["http://localhost:*"]);
        let again = merged.with_ours(&more);
        assert_eq!(again.count(), 2);
        assert_eq!(again.gaps(&[wanted, more].concat()), []);
        assert_eq!(again.with_ours(&origins(&["http://localhost:*"])), again);
    }
}
