//! Tokens: who may do what. Only the SHA-256 of a token is kept.

use sha2::{Digest as _, Sha256};
use towline_core::digest::{Algorithm, Digest};
use towline_core::policy::Operation;

use super::value::{Shown, Value};

/// The SHA-256 of a token, in hexadecimal: what is stored instead of it.
pub(crate) fn sha256(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// One token as the settings know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// Uploads belong to this name. Several tokens may share it, so that one can be replaced by another.
    pub(crate) name: String,
    pub(crate) sha256: [u8; 32],
    pub(crate) operations: Vec<Operation>,
    pub(crate) prefix: String,
}

const FIELDS: [&str; 4] = ["name", "sha256", "operations", "prefix"];

impl Value for Vec<Token> {
    const PLACEHOLDER: &'static str = "TOML";

    fn allowed() -> String {
        let operations = Operation::ALL.map(Operation::name).join(", ");
        format!("a list of tables with name, sha256, operations (a list of: {operations}) and prefix")
    }

    /// As text: the TOML of the list.
    fn read(raw: &toml::Value) -> Result<Self, String> {
        let parsed;
        let list = match raw.as_str() {
            Some("") => return Ok(Self::new()),
            Some(text) => {
                let table = format!("tokens = {text}").parse::<toml::Table>();
                parsed = table.ok().and_then(|mut table| table.remove("tokens")).ok_or("it is not TOML")?;
                &parsed
            }
            None => raw,
        };
        let list = list.as_array().ok_or("it is not a list")?;
        let numbered = list.iter().enumerate();
        numbered
            .map(|(at, token)| Token::read(token).map_err(|problem| format!("token {}: {problem}", at + 1)))
            .collect()
    }

    fn show(&self) -> Shown {
        let tables: Vec<toml::Table> = self.iter().map(Token::to_toml).collect();
        Shown::Is(tables.into())
    }
}

impl Token {
    fn read(raw: &toml::Value) -> Result<Self, String> {
        let table = raw.as_table().ok_or("it is not a table")?;
        if let Some(unknown) = table.keys().find(|key| !FIELDS.contains(&key.as_str())) {
            return Err(format!("{unknown:?} is not a field of a token"));
        }
        let text = |field: &str| match table.get(field) {
            Some(value) => value.as_str().map(Some).ok_or_else(|| format!("{field} is not a text")),
            None => Ok(None),
        };
        let name = text("name")?.filter(|name| !name.is_empty()).ok_or("it has no name")?;
        let sha256 = text("sha256")?.and_then(|hex| Digest::from_hex(Algorithm::Sha256, hex));
        let sha256 = sha256.and_then(|digest| <[u8; 32]>::try_from(digest.bytes()).ok());
        Ok(Self {
            name: name.to_owned(),
            sha256: sha256.ok_or("sha256 is missing or not 64 hexadecimal digits")?,
            operations: read_operations(table.get("operations"))?,
            prefix: text("prefix")?.unwrap_or_default().to_owned(),
        })
    }

    pub(crate) fn to_toml(&self) -> toml::Table {
        let mut table = toml::Table::new();
        table.insert("name".into(), self.name.clone().into());
        table.insert("sha256".into(), towline_core::digest::hex(&self.sha256).into());
        let operations: Vec<&str> = self.operations.iter().map(|operation| operation.name()).collect();
        table.insert("operations".into(), operations.into());
        if !self.prefix.is_empty() {
            table.insert("prefix".into(), self.prefix.clone().into());
        }
        table
    }
}

fn read_operations(raw: Option<&toml::Value>) -> Result<Vec<Operation>, String> {
    let Some(raw) = raw else {
        return Ok(Operation::ALL.to_vec());
    };
    let names = raw.as_array().ok_or("operations is not a list")?;
    let operation = |name: &toml::Value| {
        name.as_str().and_then(Operation::from_name).ok_or_else(|| format!("operations: {name} is none"))
    };
    names.iter().map(operation).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    fn read(toml: &str) -> Result<Vec<Token>, String> {
        Value::read(&toml::Value::from(toml))
    }

    #[test]
    fn a_token_is_kept_by_its_hash() {
        assert_eq!(towline_core::digest::hex(&sha256("hello")), HASH);
    }

    #[test]
    fn tokens_may_do_everything_unless_they_say_less() {
        let tokens = read(&format!(
            r#"[{{name="a", sha256="{HASH}"}}, {{name="b", sha256="{HASH}", operations=["read"], prefix="b/"}}]"#
        ))
        .unwrap();
        assert_eq!(tokens[0].operations, Operation::ALL);
        assert_eq!(tokens[0].prefix, "");
        assert_eq!(tokens[1].operations, [Operation::Read]);
        assert_eq!(tokens[1].prefix, "b/");
        assert_eq!(Value::read(&shown(&tokens)), Ok(tokens));
    }

    fn shown(tokens: &Vec<Token>) -> toml::Value {
        match tokens.show() {
            Shown::Is(value) => value,
            Shown::Nothing | Shown::Hidden => panic!("tokens are shown by their hashes"),
        }
    }

    #[test]
    fn a_token_that_makes_no_sense_is_refused_by_its_place() {
        for (toml, problem) in [
            (r#"[{sha256="00"}]"#.to_owned(), "token 1: it has no name"),
            (r#"[{name="a"}]"#.to_owned(), "token 1: sha256 is missing or not 64 hexadecimal digits"),
            (
                format!(r#"[{{name="a", sha256="{HASH}", secret="x"}}]"#),
                "token 1: \"secret\" is not a field of a token",
            ),
            (
                format!(r#"[{{name="a", sha256="{HASH}", operations=["fly"]}}]"#),
                "token 1: operations: \"fly\" is none",
            ),
            ("7".to_owned(), "it is not a list"),
            ("[".to_owned(), "it is not TOML"),
        ] {
            assert_eq!(read(&toml), Err(problem.to_owned()), "{toml}");
        }
    }
}
