# html.awk: Markdown to HTML, as much of it as the handbook needs: headings, paragraphs, lists, links, *stress*, `code`.

function escape(s) {
  gsub(/&/, "\\&amp;", s)
  gsub(/</, "\\&lt;", s)
  gsub(/>/, "\\&gt;", s)
  return s
}

# anchor is the name that a heading can be linked by.
function anchor(s) {
  s = tolower(s)
  gsub(/[^a-z0-9]+/, "-", s)
  sub(/-$/, "", s)
  return s
}

# links turns [text](target) into a link; a target that is a page of ours becomes its HTML.
function links(s,   out, text, target, at, mid) {
  out = ""
  while (match(s, /\[[^]]*\]\([^)]*\)/)) {
    at = substr(s, RSTART, RLENGTH)
    mid = index(at, "](")
    text = substr(at, 2, mid - 2)
    target = substr(at, mid + 2, length(at) - mid - 2)
    if (target !~ /^https?:/) sub(/\.md/, ".html", target)
    out = out substr(s, 1, RSTART - 1) "<a href=\"" target "\">" text "</a>"
    s = substr(s, RSTART + RLENGTH)
  }
  return out s
}

# pairs puts what stands between two marks into an element.
function pairs(s, mark, element,   parts, n, i, out) {
  n = split(s, parts, mark)
  out = parts[1]
  for (i = 2; i <= n; i++) {
    if (i % 2 == 0 && i < n) out = out "<" element ">" parts[i] "</" element ">"
    else if (i % 2 == 0) out = out mark parts[i] # the last mark has no partner
    else out = out parts[i]
  }
  return out
}

function inline(s) { return pairs(pairs(links(escape(s)), "`", "code"), "*", "em") }

# close ends the paragraph or list that is open.
function leave() {
  if (open != "") print "</" open ">"
  open = ""
}

function enter(element) {
  if (open == element) return
  leave()
  print "<" element ">"
  open = element
}

BEGIN { print "<!doctype html>\n<meta charset=\"utf-8\">" }

/^#+ / {
  leave()
  level = index($0, " ") - 1
  text = substr($0, level + 2)
  if (level == 1) print "<title>" escape(text) "</title>"
  print "<h" level " id=\"" anchor(text) "\">" inline(text) "</h" level ">"
  next
}
/^- / { enter("ul"); print "<li>" inline(substr($0, 3)) "</li>"; next }
/^[ \t]*$/ { leave(); next }
{ enter("p"); print inline($0) }
END { leave() }
