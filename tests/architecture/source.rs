//! One file of Rust, read by `syn`: the modules, items and imports in it, its functions, and shapes of code that the
//! house does not want.
//!
//! Does not know the other files; `tree` joins them. Comments, documentation, attributes and texts do not count. Inside
//! macros only paths are seen, not the shape of the code.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Block, ExprClosure, ExprMatch, FnArg, Ident, Item, Lit, Pat, Signature, UseTree};

/// A path that a file names.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// As written: `["super", "model", "Weights"]`. The path of a glob ends before the `*`.
    pub path: Vec<String>,
    /// Modules of this file, one inside the other, around the place where it is named.
    pub inside: Vec<String>,
    /// The name that a `use` binds; `None` for a path in code and for a glob.
    pub binding: Option<String>,
    /// Whether a `use` names it, also by a glob.
    pub imported: bool,
    /// Whether that `use` is visible outside its module.
    pub exported: bool,
    /// Whether it is named in tests.
    pub in_tests: bool,
}

/// A module of this file: the file itself or a `mod … { … }` in it.
#[derive(Debug, Clone, Default)]
pub struct Module {
    /// Modules of this file around it; empty for the file itself.
    pub inside: Vec<String>,
    /// Names of its items, also of modules.
    pub items: Vec<String>,
    /// Its modules that only tests have.
    pub test_modules: Vec<String>,
}

/// What one file holds.
#[derive(Debug, Default)]
pub struct Source {
    /// The file itself first.
    pub modules: Vec<Module>,
    pub named: Vec<Named>,
    /// First parts of the paths in code outside tests: tells whether an import is used in the file itself.
    pub spoken: Vec<String>,
    /// Line and what is wrong there.
    pub faults: Vec<(usize, String)>,
}

/// Functions may have this many lines and parameters (without `self`).
pub const MOST_LINES_OF_A_FUNCTION: usize = 100;
pub const MOST_PARAMETERS: usize = 5;

impl Source {
    pub fn read(text: &str) -> Result<Self, syn::Error> {
        let file = syn::parse_file(text)?;
        let mut reader = Reader::default();
        reader.source.modules.push(Module::default());
        reader.visit_file(&file);
        Ok(reader.source)
    }
}

#[derive(Default)]
struct Reader {
    source: Source,
    inside: Vec<String>,
    /// How many of the modules and functions around this place are tests.
    tests: usize,
    /// Whether this place implements a trait, which says what parameters there are.
    is_bound: bool,
}

impl Reader {
    fn module(&mut self) -> &mut Module {
        let at = self.source.modules.iter().position(|module| module.inside == self.inside);
        &mut self.source.modules[at.expect("a module is entered before its items")]
    }

    fn name(&mut self, path: Vec<String>) {
        if self.tests == 0 {
            self.source.spoken.extend(path.first().cloned());
        }
        if path.len() > 1 {
            self.source.named.push(Named {
                path,
                inside: self.inside.clone(),
                binding: None,
                imported: false,
                exported: false,
                in_tests: self.tests > 0,
            });
        }
    }

    fn import(&mut self, before: &[String], tree: &UseTree, exported: bool) {
        let with = |name: &Ident| [before, &[plain(name)]].concat();
        let (path, binding) = match tree {
            UseTree::Path(inner) => return self.import(&with(&inner.ident), &inner.tree, exported),
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.import(before, tree, exported));
                return;
            }
            UseTree::Name(leaf) if leaf.ident == "self" => (before.to_vec(), before.last().cloned()),
            UseTree::Name(leaf) => (with(&leaf.ident), Some(plain(&leaf.ident))),
            UseTree::Rename(leaf) if leaf.ident == "self" => (before.to_vec(), Some(plain(&leaf.rename))),
            UseTree::Rename(leaf) => (with(&leaf.ident), Some(plain(&leaf.rename))),
            UseTree::Glob(_) => (before.to_vec(), None),
        };
        let (inside, in_tests) = (self.inside.clone(), self.tests > 0);
        self.source.named.push(Named { path, inside, binding, imported: true, exported, in_tests });
    }

    /// Paths in the tokens of a macro: words joined by `::`.
    fn names_in_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(word) => {
                    if colons != 2 {
                        self.name(std::mem::take(&mut path));
                    }
                    path.push(plain(&word));
                    colons = 0;
                }
                TokenTree::Punct(sign) if sign.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.name(std::mem::take(&mut path));
                    self.names_in_tokens(group.stream());
                    colons = 0;
                }
                _ => {
                    self.name(std::mem::take(&mut path));
                    colons = 0;
                }
            }
        }
        self.name(path);
    }

    fn fault(&mut self, line: usize, what: impl Into<String>) {
        self.source.faults.push((line, what.into()));
    }

    fn function(&mut self, signature: &Signature, block: Option<&Block>) {
        let (name, first) = (&signature.ident, signature.fn_token.span.start().line);
        let parameters = signature.inputs.iter().filter(|input| matches!(input, FnArg::Typed(_))).count();
        if parameters > MOST_PARAMETERS && !self.is_bound {
            self.fault(first, format!("fn {name} has {parameters} parameters; {MOST_PARAMETERS} are allowed"));
        }
        let is_tuple = |input: &FnArg| matches!(input, FnArg::Typed(typed) if has_parts(&typed.pat));
        if signature.inputs.iter().any(is_tuple) {
            self.fault(first, format!("fn {name} takes a parameter apart as a tuple; give its parts names"));
        }
        let Some(block) = block else { return };
        let last = block.brace_token.span.close().end().line;
        let lines = last + 1 - first - block.stmts.iter().map(lines_of_data).sum::<usize>();
        if lines > MOST_LINES_OF_A_FUNCTION {
            self.fault(first, format!("fn {name} has {lines} lines; {MOST_LINES_OF_A_FUNCTION} are allowed"));
        }
    }

    /// Visits what is inside an item that may be a test.
    fn enter(&mut self, attributes: &[Attribute], visit: impl FnOnce(&mut Self)) {
        let tests = usize::from(attributes.iter().any(is_test));
        self.tests += tests;
        visit(self);
        self.tests -= tests;
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        let name = match item {
            Item::Const(item) => Some(&item.ident),
            Item::Enum(item) => Some(&item.ident),
            Item::Fn(item) => Some(&item.sig.ident),
            Item::Macro(item) => item.ident.as_ref(),
            Item::Mod(item) => Some(&item.ident),
            Item::Static(item) => Some(&item.ident),
            Item::Struct(item) => Some(&item.ident),
            Item::Trait(item) => Some(&item.ident),
            Item::Type(item) => Some(&item.ident),
            Item::Union(item) => Some(&item.ident),
            _ => None,
        };
        if let Some(name) = name {
            self.module().items.push(plain(name));
        }
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.attrs.iter().any(is_test) {
            self.module().test_modules.push(plain(&item.ident));
        }
        if item.content.is_some() {
            self.inside.push(plain(&item.ident));
            self.source.modules.push(Module { inside: self.inside.clone(), ..Module::default() });
            self.enter(&item.attrs, |reader| visit::visit_item_mod(reader, item));
            self.inside.pop();
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let exported = !matches!(item.vis, syn::Visibility::Inherited);
        self.enter(&item.attrs, |reader| reader.import(&[], &item.tree, exported));
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, Some(&item.block));
        self.enter(&item.attrs, |reader| visit::visit_item_fn(reader, item));
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let around = std::mem::replace(&mut self.is_bound, item.trait_.is_some());
        visit::visit_item_impl(self, item);
        self.is_bound = around;
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig, Some(&item.block));
        self.enter(&item.attrs, |reader| visit::visit_impl_item_fn(reader, item));
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.function(&item.sig, item.default.as_ref());
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_expr_closure(&mut self, closure: &'ast ExprClosure) {
        let typed_tuple = |input: &Pat| matches!(input, Pat::Type(typed) if has_parts(&typed.pat));
        if closure.inputs.iter().any(typed_tuple) {
            let line = closure.or1_token.spans[0].start().line;
            self.fault(line, "a closure with a typed tuple; write a function or a loop");
        }
        visit::visit_expr_closure(self, closure);
    }

    fn visit_expr_match(&mut self, matched: &'ast ExprMatch) {
        let is_bool = |pattern: &Pat| matches!(pattern, Pat::Lit(lit) if matches!(lit.lit, Lit::Bool(_)));
        if matched.arms.iter().any(|arm| is_bool(&arm.pat)) {
            self.fault(matched.match_token.span.start().line, "a match on true and false; write if and else");
        }
        visit::visit_expr_match(self, matched);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.name(path.segments.iter().map(|segment| plain(&segment.ident)).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.visit_path(&called.path);
        self.names_in_tokens(called.tokens.clone());
    }

    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

    fn visit_attribute(&mut self, _: &'ast Attribute) {}
}

fn plain(name: &Ident) -> String {
    name.to_string().trim_start_matches("r#").to_owned()
}

/// `#[test]`, `#[cfg(test)]` and `#[cfg(all(test, …))]`.
fn is_test(attribute: &Attribute) -> bool {
    let is_condition = attribute.path().is_ident("cfg");
    attribute.path().is_ident("test") || is_condition && attribute.parse_args::<TokenStream>().is_ok_and(asks_for_tests)
}

/// Whether a condition of `cfg` has `test` in it, and not inside `not(…)` or `any(…)`.
fn asks_for_tests(condition: TokenStream) -> bool {
    let mut before = String::new();
    for token in condition {
        match token {
            TokenTree::Ident(word) if word == "test" => return true,
            TokenTree::Ident(word) => before = word.to_string(),
            TokenTree::Group(group) if before == "all" && asks_for_tests(group.stream()) => return true,
            _ => {}
        }
    }
    false
}

/// Whether a pattern is a tuple that is not empty.
fn has_parts(pattern: &Pat) -> bool {
    matches!(pattern, Pat::Tuple(tuple) if !tuple.elems.is_empty())
}

/// Lines of a `const` or `static` inside a function: data, which may be long.
fn lines_of_data(statement: &syn::Stmt) -> usize {
    let (first, last) = match statement {
        syn::Stmt::Item(Item::Const(item)) => (item.const_token.span, item.semi_token.spans[0]),
        syn::Stmt::Item(Item::Static(item)) => (item.static_token.span, item.semi_token.spans[0]),
        _ => return 0,
    };
    last.end().line + 1 - first.start().line
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one place that reads made-up lines: what is wrong with them, each fault by a part of its words.
    fn check(text: &str, expected: &[&str]) {
        let faults = Source::read(text).expect("the lines are Rust").faults;
        assert_eq!(faults.len(), expected.len(), "{text}\n{faults:?}");
        for ((_, fault), expected) in faults.iter().zip(expected) {
            assert!(fault.contains(expected), "{fault} / {expected}");
        }
    }

    #[test]
    fn tuples_that_hide_parameters_are_seen() {
        check("fn f((a, b): (u8, u8)) {}", &["takes a parameter apart"]);
        check("impl A { fn f(&self, (a, b): (u8, u8)) {} }", &["takes a parameter apart"]);
        check("fn f() { let g = |(a, b): (u8, u8)| a; }", &["closure with a typed tuple"]);
        check("fn f(size: (u8, u8)) { let g = |(a, b)| a; let (a, b) = size; }", &[]);
        check("fn f(A { a, .. }: A, B(b): B, [c, d]: [u8; 2], (): ()) {}", &[]);
    }

    #[test]
    fn modules_of_tests_are_known_by_their_condition() {
        let tests = |condition: &str| {
            let source = Source::read(&format!("#[cfg({condition})] mod a {{}}")).expect("the line is Rust");
            !source.modules[0].test_modules.is_empty()
        };
        assert!(tests("test") && tests("all(unix, test)"));
        assert!(!tests("not(test)") && !tests("any(test, unix)") && !tests("feature = \"test\""));
    }

    #[test]
    fn parameters_are_counted_without_self() {
        check("impl A { fn f(&self, a: u8, b: u8, c: u8, d: u8, e: u8) {} }", &[]);
        check("fn f(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8) {}", &["6 parameters"]);
        check("trait T { fn f(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8); }", &["6 parameters"]);
        check("impl T for A { fn f(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8) {} }", &[]);
    }

    #[test]
    fn a_match_on_true_and_false_is_seen_and_one_on_a_pair_is_not() {
        check("fn f() { match a { true => 1, false => 2 }; }", &["match on true and false"]);
        check("fn f() { match a { true => 1, _ => 2 }; }", &["match on true and false"]);
        check("fn f() { match (a, b) { (true, _) => 1, _ => 2 }; match c { Some(true) => 1, _ => 2 }; }", &[]);
    }

    #[test]
    fn long_functions_are_seen_and_their_data_does_not_count() {
        let body = "a();\n".repeat(MOST_LINES_OF_A_FUNCTION - 2);
        check(&format!("fn f() {{\n{body}}}"), &[]);
        check(&format!("fn f() {{\n{body}a();\n}}"), &["101 lines"]);
        check(&format!("mod tests {{ #[test]\nfn f() {{\n{body}a();\n}} }}"), &["101 lines"]);
        check(&format!("fn f() {{\nconst A: &[u8] = &[\n1,\n2,\n];\n{body}}}"), &[]);
    }
}
