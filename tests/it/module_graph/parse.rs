//! Parses one source file into what the graph needs: the modules that it declares and the paths that it names.

use proc_macro2::{Delimiter, Ident, Spacing, TokenStream, TokenTree};
use syn::{
    Attribute, ItemExternCrate, ItemMod, ItemUse, Macro, Meta, Path, UseTree, Visibility, ext::IdentExt as _,
    visit::Visit,
};

/// A parsed source file.
#[derive(Default)]
pub(crate) struct Source {
    /// Every `mod x;`, which adds another file to the crate.
    pub(super) declarations: Vec<Declaration>,
    /// Every `mod x { … }`, as its path relative to the file's own module.
    pub(super) inline_modules: Vec<Vec<String>>,
    /// Every path that the file names.
    pub(super) names: Vec<Name>,
}

/// A `mod x;`.
pub(super) struct Declaration {
    /// The path of the declared module relative to the file's own module.
    pub(super) module: Vec<String>,
    pub(super) line: usize,
}

/// A path in a file. Import groups are expanded.
pub(super) struct Name {
    /// The enclosing inline modules, outermost first.
    pub(super) module: Vec<String>,
    /// The segments without generic arguments. The first one is empty if the path begins with `::`.
    pub(super) segments: Vec<String>,
    pub(super) role: Role,
    pub(super) line: usize,
}

#[derive(PartialEq)]
pub(super) enum Role {
    /// Imported under this name; `None` means `_`.
    Import(Option<String>),
    /// A glob import.
    Glob,
    /// Named where it is used.
    Use,
}

impl Source {
    /// Parses the text of a file. Comments and string literals name nothing.
    pub(crate) fn parse(text: &str) -> syn::Result<Self> {
        let mut parser = Parser::default();
        parser.visit_file(&syn::parse_file(text)?);
        Ok(parser.source)
    }

    /// Returns the imported paths, each in full.
    pub(crate) fn imports(&self) -> impl Iterator<Item = String> {
        self.names.iter().filter(|name| name.role != Role::Use).map(|name| name.segments.join("::"))
    }
}

#[derive(Default)]
struct Parser {
    /// The inline modules around the current item.
    module: Vec<String>,
    source: Source,
}

impl Parser {
    fn record(&mut self, segments: Vec<String>, role: Role, at: &Ident) {
        let line = at.span().start().line;
        self.source.names.push(Name { module: self.module.clone(), segments, role, line });
    }

    /// Records every path of an import tree. `prefix` is the path before the tree, and `last` its last segment.
    fn import(&mut self, prefix: &[String], last: Option<&Ident>, tree: &UseTree) {
        let with = |ident: &Ident| [prefix, &[text(ident)]].concat();
        match tree {
            UseTree::Path(path) => self.import(&with(&path.ident), Some(&path.ident), &path.tree),
            UseTree::Name(name) if name.ident == "self" => {
                self.record(prefix.to_vec(), Role::Import(last.map(text)), &name.ident);
            }
            UseTree::Name(name) => self.record(with(&name.ident), Role::Import(Some(text(&name.ident))), &name.ident),
            UseTree::Rename(rename) => {
                let path = if rename.ident == "self" { prefix.to_vec() } else { with(&rename.ident) };
                let binding = Some(text(&rename.rename)).filter(|binding| binding != "_");
                self.record(path, Role::Import(binding), &rename.ident);
            }
            UseTree::Glob(_) => {
                if let Some(last) = last {
                    self.record(prefix.to_vec(), Role::Glob, last);
                }
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(prefix, last, tree)),
        }
    }

    /// Records the paths in the tokens of a macro call, a macro definition or an attribute.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at = match token {
                TokenTree::Group(group) => {
                    self.tokens(group.stream());
                    at + 1
                }
                TokenTree::Ident(ident) if is_path_segment(ident) => self.token_path(&tokens, at, &[]),
                _ => at + 1,
            };
        }
    }

    /// Records the path that begins with the identifier at `at`. Returns the index after it.
    fn token_path(&mut self, tokens: &[TokenTree], mut at: usize, prefix: &[String]) -> usize {
        let Some(TokenTree::Ident(first)) = tokens.get(at) else { return at + 1 };
        let mut segments = prefix.to_vec();
        let before = |distance: usize| at.checked_sub(distance).and_then(|at| tokens.get(at));
        if prefix.is_empty() && before(2).is_some() && is_separator(tokens, at - 2) {
            let continues = matches!(before(3), Some(TokenTree::Punct(punct)) if punct.as_char() == '>');
            segments.push(if continues { "<type>".to_owned() } else { String::new() });
        }
        // The path after `$name` is recorded where the macro is called.
        let known = !is_punct(before(1), '$') || first == "crate";
        segments.push(text(first));
        at += 1;
        while is_separator(tokens, at) {
            match tokens.get(at + 2) {
                Some(TokenTree::Ident(next)) => segments.push(text(next)),
                Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                    self.token_group(&segments, first, group.stream());
                    return at + 3;
                }
                star if is_punct(star, '*') => {
                    self.record(segments, Role::Glob, first);
                    return at + 3;
                }
                _ => break,
            }
            at += 3;
        }
        if known && segments.len() > 1 {
            self.record(segments, Role::Use, first);
        }
        at
    }

    /// Records the paths of an import group in the tokens of a macro.
    fn token_group(&mut self, prefix: &[String], first: &Ident, tokens: TokenStream) {
        let tokens: Vec<_> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at = match token {
                TokenTree::Ident(ident) if ident == "as" => at + 2,
                TokenTree::Ident(ident) if ident == "self" => {
                    self.record(prefix.to_vec(), Role::Use, ident);
                    at + 1
                }
                TokenTree::Ident(_) => self.token_path(&tokens, at, prefix),
                TokenTree::Punct(punct) if punct.as_char() == '*' => {
                    self.record(prefix.to_vec(), Role::Glob, first);
                    at + 1
                }
                _ => at + 1,
            };
        }
    }
}

impl<'ast> Visit<'ast> for Parser {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if item.attrs.iter().any(is_test_only) {
            return;
        }
        self.module.push(text(&item.ident));
        if item.content.is_some() {
            self.source.inline_modules.push(self.module.clone());
            syn::visit::visit_item_mod(self, item);
        } else {
            let line = item.ident.span().start().line;
            self.source.declarations.push(Declaration { module: self.module.clone(), line });
        }
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let prefix = item.leading_colon.as_ref().map(|_| String::new());
        self.import(prefix.as_slice(), None, &item.tree);
    }

    fn visit_item_extern_crate(&mut self, item: &'ast ItemExternCrate) {
        let binding = item.rename.as_ref().map_or(&item.ident, |(_, name)| name);
        self.record(vec![String::new(), text(&item.ident)], Role::Import(Some(text(binding))), &item.ident);
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let mut segments: Vec<_> = path.leading_colon.iter().map(|_| String::new()).collect();
        segments.extend(path.segments.iter().map(|segment| text(&segment.ident)));
        if segments.len() > 1
            && let Some(first) = path.segments.first()
        {
            self.record(segments, Role::Use, &first.ident);
        }
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.visit_path(&call.path);
        self.tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        syn::visit::visit_attribute(self, attribute);
        if let Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
        }
    }

    /// `pub(in crate::domain)` makes a module visible to another one and does not depend on it.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

fn text(ident: &Ident) -> String {
    ident.unraw().to_string()
}

fn is_test_only(attribute: &Attribute) -> bool {
    matches!(&attribute.meta, Meta::List(list) if list.path.is_ident("cfg") && list.tokens.to_string() == "test")
}

/// Returns whether an identifier can begin a path, which a keyword cannot.
fn is_path_segment(ident: &Ident) -> bool {
    ["crate", "self", "super", "Self"].iter().any(|keyword| ident == keyword)
        || syn::parse2::<Ident>(TokenTree::from(ident.clone()).into()).is_ok()
}

fn is_punct(token: Option<&TokenTree>, character: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == character)
}

/// Returns whether there is a `::` at `at`.
fn is_separator(tokens: &[TokenTree], at: usize) -> bool {
    let joint = matches!(tokens.get(at), Some(TokenTree::Punct(punct)) if punct.spacing() == Spacing::Joint);
    joint && is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':')
}
