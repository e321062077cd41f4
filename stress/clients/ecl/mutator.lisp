;;; Threads, hash tables strong and weak, finalizers, big numbers, structures, strings and CLOS instances. Argument: the
;;; size. Prints what no collector may change, and of what it may choose only what holds whenever it collects.

(defpackage :mutator (:use :cl) (:export #:main))
(in-package :mutator)

(defvar *size* 100)

(defun fact (name &rest values)
  (format t "~a:~{ ~a~}~%" name values)
  (finish-output))

(defun mix (sum value)
  (mod (+ (* sum 31) value) 1000000007))

(defun make-random (seed)
  (let ((state seed))
    (lambda (limit)
      (setf state (mod (+ (* state 1103515245) 12345) 2147483648))
      (mod (floor state 8) limit))))

;;; Threads: each makes trees, instances and strings of its own, and adds to a table that all share.

(defstruct node left right label)

(defclass item () ((name :initarg :name :reader item-name) (next :initarg :next :reader item-next)))

(defun tree (depth)
  (if (zerop depth) nil (make-node :left (tree (1- depth)) :right (tree (1- depth)) :label depth)))

(defun tree-sum (tree)
  (if (null tree) 1 (mix (+ (tree-sum (node-left tree)) (node-label tree)) (tree-sum (node-right tree)))))

(defun work (id rounds shared lock)
  (let ((random (make-random id)) (kept (make-array 64 :initial-element nil)) (sum id))
    (dotimes (round rounds sum)
      (let* ((tree (tree (+ 3 (funcall random 5))))
             (name (format nil "~d-~d" (funcall random 300) round))
             (key (subseq name 0 (position #\- name)))
             (item (make-instance 'item :name name :next (lambda () (tree-sum tree)))))
        (mp:with-lock (lock)
          (incf (gethash key shared 0)))
        (setf (aref kept (funcall random 64)) item)
        (let ((old (aref kept (funcall random 64))))
          (setf sum (mix (mix sum (length name)) (if old (funcall (item-next old)) 0))))))))

(defun test-threads ()
  (let* ((shared (make-hash-table :test #'equal)) (lock (mp:make-lock :name "shared")) (rounds (* 6 *size*))
         (threads (loop for id from 1 to 4
                        collect (let ((id id)) (mp:process-run-function id (lambda () (work id rounds shared lock))))))
         (sums (mapcar #'mp:process-join threads)))
    (fact "threads" sums (= (* 4 rounds) (loop for value being the hash-values of shared sum value)))))

(defun test-short-threads ()
  (let ((sum 0))
    (dotimes (round (floor *size* 10))
      (dolist (thread (loop for id below 4
                            collect (let ((id id)) (mp:process-run-function id (lambda () (tree-sum (tree (+ 3 id))))))))
        (setf sum (mix sum (mp:process-join thread)))))
    (fact "short threads" sum)))

;;; Hash tables.

(defun test-tables ()
  (let ((random (make-random 7)) (count (* 300 *size*)))
    (dolist (test '(eql equal equalp))
      (let ((table (make-hash-table :test test)))
        (dotimes (i count)
          (let* ((n (funcall random count)) (key (if (eq test 'eql) n (format nil "k~d" n))))
            (push i (gethash key table))
            (when (zerop (mod i 5)) (remhash (if (eq test 'eql) i (format nil "k~d" i)) table))))
        (fact "table" test (hash-table-count table)
              (loop for list being the hash-values of table sum (reduce #'+ list)))))))

(defun fill-weak (table count)
  "Returns the entries that are held: a third."
  (let ((held '()))
    (dotimes (i count held)
      (let ((key (list i)) (value (vector i (* i i))))
        (setf (gethash key table) value)
        (when (zerop (mod i 3)) (push (cons key value) held))))))

(defun test-weak (weakness goes)
  (let* ((count (* 60 *size*)) (table (make-hash-table :test #'eq :weakness weakness)) (held (fill-weak table count)))
    (dotimes (i 3)
      (ext:gc t)
      (maphash (lambda (key value) (list key value)) table)) ; counts what was cleared
    (let ((right (every (lambda (entry) (eq (gethash (car entry) table) (cdr entry))) held))
          (others (- (hash-table-count table) (length held))))
      (fact "weak" weakness "held" (length held) "right" right "at least those" (>= others 0)
            "most others gone" (if goes (< others (floor (- count (length held)) 4)) '?)
            (reduce #'mix (mapcar (lambda (entry) (aref (cdr entry) 1)) held))))))

;;; Finalizers: of what is dropped most are called, each once, with the object whole. They may run at any allocation, so
;;; they print no number: ECL 21.2.1 does that in the register in which an interrupted (floor big small) has its result,
;;; with any collector.

(defvar *called*)
(defvar *wrong*)

(defun name-of (i) (make-string 5 :initial-element (code-char (+ 32 (mod i 95)))))

(defun finalized (object)
  (let ((i (aref object 0)))
    (unless (and (string= (aref object 1) (name-of i)) (zerop (aref *called* i))) (incf *wrong*))
    (incf (aref *called* i))))

(defun drop-finalizable (count)
  (dotimes (i count)
    (ext:set-finalizer (vector i (name-of i)) #'finalized)))

(defun test-finalizers ()
  (let ((count (* 20 *size*)))
    (setf *called* (make-array count :initial-element 0) *wrong* 0)
    (drop-finalizable count)
    (dotimes (i 3)
      (ext:gc t)
      (tree (+ 8 i)))
    (fact "finalizers" "wrong" *wrong* "most called" (> (reduce #'+ *called*) (floor (* 3 count) 4)))))

;;; Big numbers.

(defun factorial (n)
  (let ((product 1))
    (loop for i from 1 to n do (setf product (* product i)))
    product))

(defun digits-of-pi (count)
  (let ((unity (expt 10 (+ count 10))))
    (flet ((arctangent (x)
             (loop with term = (floor unity x) and square = (* x x)
                   for n from 1 by 2 and sign = 1 then (- sign)
                   until (zerop term)
                   sum (* sign (floor term n))
                   do (setf term (floor term square)))))
      (floor (* 4 (- (* 4 (arctangent 5)) (arctangent 239))) (expt 10 10)))))

(defun test-big-numbers ()
  (let ((product (factorial (* 10 *size*))))
    (fact "factorial" (mod product 1000000007) (integer-length product)))
  (let ((text (format nil "~d" (digits-of-pi (* 10 *size*)))))
    (fact "pi" (subseq text 0 20) (length text) (reduce #'mix text :key #'digit-char-p)))
  (let ((sum 0))
    (loop for i from 1 to *size* do (incf sum (/ 1 i)))
    (fact "fractions" (mod (numerator sum) 1000000007) (mod (denominator sum) 1000000007))))

;;; Strings, sorting, and code that is made as it runs.

(defun test-code ()
  (let ((sum 0))
    (dotimes (i (* 2 *size*))
      (let ((made (compile nil `(lambda (x) (let ((y (* x ,i))) (if (evenp y) (list y ,(format nil "~r" i)) (vector y)))))))
        (setf sum (mix sum (length (format nil "~s" (funcall made (1+ i))))))))
    (fact "code" sum))
  (let* ((random (make-random 3)) (list (loop repeat (* 100 *size*) collect (format nil "~36r" (funcall random 1000000)))))
    (fact "sorted" (first (sort (copy-list list) #'string<)) (length (remove-duplicates (subseq list 0 500) :test #'equal)))))

(defun main (size)
  (setf *size* size)
  (ext:install-bytecodes-compiler)
  (test-threads)
  (test-short-threads)
  (test-tables)
  ;; ECL 21.2.1 drops hardly any entry of :key, and ends itself in a large table of :key-or-value, with any collector.
  (mapc #'test-weak '(:key :value :key-and-value) '(nil t t))
  (test-finalizers)
  (test-big-numbers)
  (test-code))
