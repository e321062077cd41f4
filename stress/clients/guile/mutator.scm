;;; Threads, weak hash tables, guardians and big numbers. Argument: the size. Prints what no collector may change, and
;;; of what it may choose when to collect only what holds whenever it does.

(use-modules (ice-9 threads) (ice-9 format) (srfi srfi-1))

(define size (string->number (cadr (command-line))))

(define modulus 1000000007)
(define (mix sum value) (modulo (+ (* sum 31) value) modulus))

(define (fact name . values)
  (format #t "~a:~{ ~a~}~%" name values)
  (force-output))

(define (pseudo-random seed)
  (let ((state seed))
    (lambda (limit)
      (set! state (modulo (+ (* state 1103515245) 12345) 2147483648))
      (modulo (quotient state 8) limit))))

;; ---- Threads: each makes trees, strings and closures of its own, and adds to tables that all share. ----

(define (tree depth)
  (if (zero? depth) '() (cons (tree (- depth 1)) (vector depth (tree (- depth 1))))))

(define (tree-sum t)
  (if (null? t)
      1
      (mix (+ (tree-sum (car t)) (vector-ref (cdr t) 0)) (tree-sum (vector-ref (cdr t) 1)))))

(define (worker id rounds shared mutex)
  (let ((random (pseudo-random id)) (kept (make-vector 64 #f)))
    (let loop ((round 0) (sum id))
      (if (= round rounds)
          sum
          (let* ((depth (+ 4 (random 5)))
                 (t (tree depth))
                 (text (string-append (number->string (random 1000)) "-" (number->string round)))
                 (name (string->symbol (string-append "s" (number->string (random 500))))))
            (vector-set! kept (random 64) (cons t (lambda () (tree-sum t))))
            (with-mutex mutex
              (hashq-set! shared name (+ 1 (hashq-ref shared name 0))))
            (let ((old (vector-ref kept (random 64))))
              (loop (+ round 1)
                    (mix (mix sum (string-length text)) (if old ((cdr old)) 0)))))))))

(define (test-threads)
  (let* ((shared (make-hash-table)) (mutex (make-mutex)) (count 4) (rounds (* 12 size))
         (threads (map (lambda (id) (call-with-new-thread (lambda () (worker id rounds shared mutex)))) (iota count 1)))
         (sums (map join-thread threads)))
    (fact "threads" sums "shared" (hash-fold (lambda (key value sum) (+ sum value)) 0 shared)
          (= (* count rounds) (hash-fold (lambda (key value sum) (+ sum value)) 0 shared)))))

;; ---- Many short threads: each leaves its stack behind. ----

(define (test-short-threads)
  (fact "short threads"
        (let loop ((left size) (sum 0))
          (if (<= left 0)
              sum
              (loop (- left 10)
                    (fold mix sum (map join-thread
                                       (map (lambda (id) (call-with-new-thread (lambda () (tree-sum (tree (+ 3 id))))))
                                            (iota 5)))))))))

;; ---- Weak tables: what is held stays, with its value; of what is dropped most goes. ----

(define (test-weak name make key value held-of)
  (let* ((count (* 300 size))
         (table (make))
         (held (let loop ((index 0) (held '()))
                 (if (= index count)
                     held
                     (let ((k (key index)) (v (value index)))
                       (hashq-set! table k v)
                       (loop (+ index 1) (if (zero? (modulo index 3)) (cons (held-of index k v) held) held)))))))
    (gc) (gc)
    (let ((present (hash-fold (lambda (k v n) (+ n 1)) 0 table))
          (right (every (lambda (entry) (equal? (hashq-ref table (car entry)) (cdr entry))) held)))
      (fact name "held" (length held) "right" right
            "at least those" (>= present (length held))
            "most others gone" (< (- present (length held)) (quotient (- count (length held)) 4))
            "sum" (fold (lambda (entry sum) (mix sum (cddr entry))) 0 held)))))

(define (test-weak-tables)
  (test-weak "weak keys" make-weak-key-hash-table (lambda (i) (list i)) (lambda (i) (cons 'value i))
             (lambda (i k v) (cons k (cons 'value i))))
  (test-weak "weak values" make-weak-value-hash-table (lambda (i) i) (lambda (i) (cons 'value i))
             (lambda (i k v) (cons k v)))
  (test-weak "doubly weak" make-doubly-weak-hash-table (lambda (i) (vector i)) (lambda (i) (cons 'value i))
             (lambda (i k v) (cons k v))))

;; ---- Guardians: what comes back is whole, and comes once; once more when it is guarded again. ----

(define (whole? object)
  (and (vector? object) (= (vector-length object) 3) (equal? (vector-ref object 1) (number->string (vector-ref object 0)))
       (pair? (vector-ref object 2)) (eqv? (car (vector-ref object 2)) (vector-ref object 0))))

(define (drain guardian each)           ; no list of them: one stray word that points to it would hold them all
  (let ((one (guardian)))
    (when one
      (each one)
      (drain guardian each))))

(define (returned guardian count enough next)
  "Collects until enough came back: (whole, each once, enough). Another thread calls the finalizers, when it gets to it.
Each is then guarded by NEXT, if that is one."
  (let ((seen (make-bitvector count #f)) (whole #t) (once #t) (found 0))
    (do ((round 0 (+ round 1))) ((or (= round 500) (> found enough)))
      (gc)
      (usleep 2000)
      (drain guardian
             (lambda (object)
               (let ((i (vector-ref object 0)))
                 (set! whole (and whole (whole? object)))
                 (set! once (and once (not (bitvector-bit-set? seen i))))
                 (set! found (+ found 1))
                 (bitvector-set-bit! seen i)
                 (when next (next object))))))
    (list whole once (> found enough))))

(define (guard-some guardian count)
  (do ((i 0 (+ i 1))) ((= i count))
    (guardian (vector i (number->string i) (list i i)))))

;; How many come back a second time is not said: Guile hands the first ones out through a list, and one stray word that
;; points to its beginning holds them all.
(define (test-guardians)
  (let* ((count (* 50 size)) (first (make-guardian)) (second (make-guardian)))
    (guard-some first count)
    (let* ((one (returned first count (quotient (* 3 count) 4) second))
           (two (returned second count (quotient count 2) #f)))
      (fact "guardians" "whole" (car one) "once" (cadr one) "most" (caddr one)
            "again whole" (car two) "once" (cadr two)))))

;; ---- Big numbers. ----

(define (factorial n)
  (let loop ((i 1) (product 1)) (if (> i n) product (loop (+ i 1) (* product i)))))

(define (digits-of-pi count)            ; Gibbons' spigot
  (let loop ((q 1) (r 0) (t 1) (k 1) (m 3) (x 3) (left count) (digits '()))
    (cond ((zero? left) (reverse digits))
          ((< (+ (* 4 q) (- r t)) (* m t))
           (loop (* 10 q) (* 10 (- r (* m t))) t k
                 (- (quotient (* 10 (+ (* 3 q) r)) t) (* 10 m)) x (- left 1) (cons m digits)))
          (else
           (loop (* q k) (* (+ (* 2 q) r) x) (* t x) (+ k 1)
                 (quotient (+ (* q (+ (* 7 k) 2)) (* r x)) (* t x)) (+ x 2) left digits)))))

(define (test-big-numbers)
  (let ((product (factorial (* 12 size))))
    (fact "factorial" (modulo product modulus) (integer-length product))
    (fact "its digits" (string-length (number->string (factorial (* 4 size))))))
  (let ((digits (digits-of-pi (* 4 size))))
    (fact "pi" (apply string-append (map number->string (take digits 20))) (fold (lambda (d sum) (mix sum d)) 0 digits)))
  (let loop ((i 0) (third 1/3) (sum 0))
    (if (= i (* 2 size))
        (fact "fractions" (modulo (numerator sum) modulus) (modulo (denominator sum) modulus))
        (loop (+ i 1) third (+ sum (/ 1 (+ i 1)))))))

;; ---- Strings, hash tables that grow, and deep recursion. ----

(define (test-tables)
  (let ((table (make-hash-table)) (random (pseudo-random 99)) (count (* 400 size)))
    (do ((i 0 (+ i 1))) ((= i count))
      (let ((key (number->string (random count))))
        (hash-set! table key (cons i (hash-ref table key '())))))
    (fact "tables" (hash-count (const #t) table)
          (modulo (hash-fold (lambda (key value sum) (+ sum (apply + value))) 0 table) modulus)))
  (let deep ((i (* 200 size)) (k (lambda (list) (fact "deep" (length list) (apply + list)))))
    (if (zero? i) (k '()) (deep (- i 1) (lambda (list) (k (cons i list)))))))

(test-threads)
(test-short-threads)
(test-weak-tables)
(test-guardians)
(test-big-numbers)
(test-tables)
