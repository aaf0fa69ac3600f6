//! Takes the framework's hydration markers out of what will never be hydrated.
//!
//! Leptos writes `<!>` where a browser may later need a place to insert something. Outside islands nobody
//! will: there they only cost bytes, and in `<title>`, whose text is not parsed, they would be shown. The
//! text of a view is always escaped, so a `<` outside a tag begins a tag or a marker and nothing else;
//! quoted attribute values are passed over, whatever they hold. Islands are left as they are, byte for byte.

const MARKER: &str = "<!>";
const ISLAND: &str = "<leptos-island";
const ISLAND_END: &str = "</leptos-island>";
/// What an attribute that is not there leaves behind for `class`.
const NO_CLASS: &str = " class=\"\"";

/// `html` without markers outside islands.
pub(super) fn strip(html: &str) -> String {
    let mut kept = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        kept.push_str(&rest[..start]);
        rest = &rest[start..];
        if let Some(after) = rest.strip_prefix(MARKER) {
            rest = after;
        } else if rest.starts_with(ISLAND) {
            let end = rest
                .find(ISLAND_END)
                .map_or(rest.len(), |end| end + ISLAND_END.len());
            kept.push_str(&rest[..end]);
            rest = &rest[end..];
        } else {
            let end = tag_end(rest);
            // A quote inside a value is escaped, so this can only be the attribute itself.
            kept.push_str(&rest[..end].replace(NO_CLASS, ""));
            rest = &rest[end..];
        }
    }
    kept.push_str(rest);
    kept
}

/// The length of the tag that `html` begins with.
fn tag_end(html: &str) -> usize {
    let mut quoted = false;
    for (position, byte) in html.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'>' if !quoted => return position + 1,
            _ => {}
        }
    }
    html.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_go_and_everything_else_stays() {
        for (html, expected) in [
            ("<title>A<!></title>", "<title>A</title>"),
            ("<p>a<!>b &lt;!&gt;</p><!>", "<p>ab &lt;!&gt;</p>"),
            (
                "<input value=\"<!> > <b\"><!>",
                "<input value=\"<!> > <b\">",
            ),
            (
                "<th class=\"\" scope=\"col\">x<!></th>",
                "<th scope=\"col\">x</th>",
            ),
            (
                "<leptos-island data-x=\"1\"><p>a<!></p></leptos-island><!>",
                "<leptos-island data-x=\"1\"><p>a<!></p></leptos-island>",
            ),
            ("text", "text"),
            ("<broken", "<broken"),
        ] {
            assert_eq!(strip(html), expected);
        }
    }
}
