# Fibers, channels, hash tables, churn of small and large blocks, finalizers and weak references. Argument: the size.
# Prints what no collector may change, and of what it may choose only what holds whenever it collects.

require "weak_ref"
require "json"
require "big"

SIZE    = ARGV[0].to_i
MODULUS = 1_000_000_007_i64

def mix(sum : Int64, value) : Int64
  (sum &* 31 &+ value.to_i64) % MODULUS
end

def fact(name, *values)
  puts "#{name}: #{values.join(' ')}"
  STDOUT.flush
end

class PseudoRandom
  def initialize(@state : Int64)
  end

  def below(limit)
    @state = (@state &* 1103515245 &+ 12345) % 2147483648
    ((@state // 8) % limit).to_i
  end
end

class Tree
  getter left : Tree?
  getter right : Tree?

  def initialize(@depth : Int32)
    if @depth > 0
      @left = Tree.new(@depth - 1)
      @right = Tree.new(@depth - 1)
    end
  end

  def sum : Int64
    mix(mix(@left.try(&.sum) || 1_i64, @depth), @right.try(&.sum) || 1_i64)
  end
end

# Fibers: many at a time, each with a stack of its own that must be scanned while it waits.
def test_fibers
  total = 0_i64
  (SIZE // 10).times do |round|
    numbers, sums = Channel(Int32).new(8), Channel(Int64).new
    count = 50
    count.times do |id|
      spawn do
        kept = [] of Tree
        sum = 0_i64
        while number = numbers.receive?
          tree = Tree.new(number % 7)
          kept << tree
          Fiber.yield
          sum += kept.sample(Random.new(id)).sum % 1000 - kept.sample(Random.new(id)).sum % 1000 + tree.sum
        end
        sums.send sum
      end
    end
    500.times { |i| numbers.send(i + round) }
    numbers.close
    count.times { total = (total + sums.receive) % MODULUS }
  end
  fact "fibers", total
end


def test_pipeline
  input = Channel(String).new
  channel = input
  40.times do |stage|
    from, to = channel, Channel(String).new
    spawn do
      while text = from.receive?
        to.send(text.size > 60 ? text[20..] + stage.to_s : text + (stage % 10).to_s)
      end
      to.close
    end
    channel = to
  end
  count = SIZE * 2
  spawn do
    count.times { |i| input.send "n#{i}" }
    input.close
  end
  sum, seen = 0_i64, 0
  while text = channel.receive?
    sum = mix(sum, text.hash_sum)
    seen += 1
  end
  fact "pipeline", seen, sum
end

class String
  def hash_sum
    sum = 7_i64
    each_byte { |byte| sum = mix(sum, byte) }
    sum
  end
end

def test_tables
  random = PseudoRandom.new(17)
  table = {} of String => Array(Int32)
  count = SIZE * 500
  count.times do |i|
    (table["k#{random.below(count)}"] ||= [] of Int32) << i
    table.delete("k#{i}") if i % 4 == 0
  end
  sum = 0_i64
  table.each { |key, list| sum = mix(sum, list.sum.to_i64 + key.size) }
  fact "table", table.size, sum
  sets = Hash(Int64, Set(Int32)).new { |hash, key| hash[key] = Set(Int32).new }
  count.times { |i| sets[random.below(1000).to_i64] << i }
  fact "sets", sets.size, sets.sum { |key, set| key * set.size % 7919 }
end

# Small and large blocks, live for a while: some grow in place of others.
def test_churn
  random = PseudoRandom.new(5)
  kept = Array(Bytes?).new(256, nil)
  grown = Array(Array(String)).new(16) { [] of String }
  sum = 0_i64
  (SIZE * 40).times do |i|
    length = random.below(100) == 0 ? 100_000 + random.below(400_000) : 16 + random.below(2000)
    bytes = Bytes.new(length)
    bytes[length - 1] = (i % 251).to_u8
    place = random.below(256)
    if old = kept[place]
      sum = mix(sum, old[old.size - 1].to_i + old.size)
    end
    kept[place] = bytes
    list = grown[random.below(16)]
    list << "s#{i}"
    list.clear if list.size > 2000
  end
  fact "churn", sum, grown.sum(&.size)
end

# Finalizers: called at most once, on an object that is whole; of what is dropped most are called.
class Watched
  class_getter called = Hash(Int32, Int32).new(0)
  class_property finalized = 0
  class_property wrong = 0

  def initialize(@id : Int32)
    @again = @id ^ 0x5555
    @done = false
  end

  def finalize
    Watched.wrong += 1 if @done || (@again ^ 0x5555) != @id
    @done = true
    Watched.finalized += 1
  end
end

def drop_watched(count)
  count.times { |i| Watched.new(i) }
end

def test_finalizers
  count = SIZE * 20
  drop_watched count
  3.times { GC.collect; Tree.new(10) }
  fact "finalizers", Watched.wrong, Watched.finalized <= count, Watched.finalized > count * 3 // 4
end

def weak_references(count, held)
  Array(WeakRef(Tree)).new(count) do |i|
    tree = Tree.new(2)
    held << tree if i % 3 == 0
    WeakRef.new(tree)
  end
end

def test_weak
  count = SIZE * 20
  held = [] of Tree
  references = weak_references(count, held)
  3.times { GC.collect }
  live = references.count(&.value)
  right = held.each_with_index.all? { |tree, i| references[i * 3].value.same?(tree) }
  fact "weak", held.size, right, live >= held.size, live - held.size < (count - held.size) // 4
end

def test_json
  sum = 0_i64
  (SIZE // 2).times do |i|
    text = JSON.build do |json|
      json.object do
        json.field "id", i
        json.field "tags" { json.array { 30.times { |n| json.string "tag #{n} of #{i}" } } }
        json.field "nested" { json.object { 20.times { |n| json.field "k#{n}", n * i } } }
      end
    end
    parsed = JSON.parse(text)
    sum = mix(sum, parsed["tags"].as_a.sum(&.as_s.size) + parsed["nested"].as_h.size + text.bytesize)
  end
  fact "json", sum
end

def test_big_numbers
  product = BigInt.new(1)
  (1..SIZE * 6).each { |i| product *= i }
  fact "factorial", product % MODULUS, product.to_s.size
end

test_fibers
test_pipeline
test_tables
test_churn
test_finalizers
test_weak
test_json
test_big_numbers
