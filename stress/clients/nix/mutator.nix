# Fixed points of overlaid attribute sets, folds over lists, strings, thunks by the million. Argument: size. The value
# is one set of numbers and strings, all of which depend on every element.
{ size ? 100 }:
let
  inherit (builtins) add all attrNames attrValues concatLists concatStringsSep elemAt filter foldl' fromJSON
    genList hashString head isString length listToAttrs mapAttrs map replaceStrings seq sort split stringLength
    substring toJSON toString;

  modulus = 1000003;
  mod = a: b: a - b * (a / b);
  mix = sum: value: mod (sum * 31 + value) modulus;
  fold = foldl' mix 7;
  fix = f: let x = f x; in x;
  extends = overlay: f: final: let previous = f final; in previous // overlay final previous;

  # Sets of "packages" that depend on each other through the fixed point, each overlaid again and again.
  count = 200;
  packages = salt: final: listToAttrs (genList
    (i: {
      name = "p${toString i}";
      value = rec {
        name = "package-${toString i}-${toString salt}";
        inputs = map (d: final."p${toString (i - d)}") (filter (d: d <= i) [ 1 2 3 5 8 13 ]);
        depth = 1 + foldl' (a: p: if p.depth > a then p.depth else a) 0 inputs;
        path = "/store/${hashString "sha256" (concatStringsSep ":" ([ name ] ++ map (p: p.path) inputs))}-${name}";
        override = arguments: final."p${toString i}" // arguments;
      };
    })
    count);
  overlay = n: final: previous: mapAttrs
    (name: package: package // {
      depth = package.depth + n;
      tags = (package.tags or [ ]) ++ [ "${name}-${toString n}" ];
      again = package.override { version = n; };
    })
    previous;
  layered = salt: fix (foldl' (f: n: extends (overlay n) f) (packages salt) (genList (n: n) 6));
  sets = genList layered (size / 20 + 1);
  fixedPoint = fold (concatLists
    (map (set: map (p: p.depth + stringLength p.path + length p.tags + p.again.version) (attrValues set)) sets));

  # Lists of thunks.
  numbers = genList (i: { key = mod (i * 7919) modulus; value = [ i (i + 1) ]; }) (size * 1000);
  sums = foldl' (sum: n: mix sum (n.key + head n.value + elemAt n.value 1)) 1 numbers;
  sorted = sort (a: b: a.key < b.key) (genList (i: { key = mod (i * 104729) modulus; }) (size * 100));
  sortedSum = fold (map (n: n.key) sorted);
  flattened = length (concatLists (genList (i: genList (j: i * j) (mod i 50)) (size * 20)));

  # A balanced tree, built by insertion: every insertion makes a new path.
  insert = tree: key:
    if tree == null then { inherit key; left = null; right = null; }
    else if key < tree.key then let left = insert tree.left key; in seq left (tree // { inherit left; })
    else if key > tree.key then let right = insert tree.right key; in seq right (tree // { inherit right; })
    else tree;
  tree = foldl' insert null (genList (i: mod (i * 386641 + 13) modulus) (size * 40));
  treeSum = tree: if tree == null then 1 else mix (mix (treeSum tree.left) tree.key) (treeSum tree.right);

  # A lazy stream, of which every element is a thunk that refers to the one before.
  stream = genStream 0 1;
  genStream = a: b: { value = a; rest = genStream b (mod (a + b) modulus); };
  streamSum = n: stream: sum: if n == 0 then sum else
    let next = mix sum stream.value; in seq next (streamSum (n - 1) stream.rest next);
  streams = foldl' (sum: i: mix sum (streamSum 500 stream i)) 0 (genList (i: i) (size / 2));

  # Strings.
  text = concatStringsSep "," (genList (i: "item-${toString (mod (i * 31) 977)}") (size * 100));
  words = filter isString (split "[,-]" text);
  replaced = replaceStrings [ "item" "1" ] [ "thing" "one" ] text;
  json = fromJSON (toJSON (genList (i: { id = i; name = "n${toString i}"; list = genList (j: j) 5; }) (size * 50)));
  jsonSum = fold (map (o: o.id + stringLength o.name + foldl' add 0 o.list) json);

  # Attribute sets that are merged one into the other.
  merged = foldl' (set: i: set // { "k${toString (mod (i * 17) 499)}" = i; }) { } (genList (i: i) (size * 10));
in
{
  inherit fixedPoint sums sortedSum flattened streams jsonSum;
  isSorted = all (i: (elemAt sorted i).key <= (elemAt sorted (i + 1)).key) (genList (i: i) (length sorted - 1));
  tree = treeSum tree;
  words = [ (length words) (stringLength replaced) (hashString "sha256" replaced) ];
  merged = [ (length (attrNames merged)) (fold (attrValues merged)) ];
  last = (elemAt sets (length sets - 1))."p${toString (count - 1)}".path;
}
