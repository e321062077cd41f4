;;; ECL's two compilers on a file that this writes: that to C (another process compiles the C) and that to bytecode.
;;; Both results are loaded and run. Argument to main: the size, and a folder to write to.

(defpackage :compiling (:use :cl) (:export #:main))
(in-package :compiling)

(defun definitions (index)
  (flet ((name (kind) (intern (format nil "~a-~d" kind index) :compiling)))
    `((defstruct (,(name 'point) (:conc-name ,(name 'get)) (:constructor ,(name 'make-point) (&key y)))
        (x ,index) (y '(a b ,index)))
      (defclass ,(name 'thing) () ((value :initarg :value :accessor ,(name 'thing-value))))
      (defmacro ,(name 'twice) (form) (list 'list form form ,index))
      (defmethod ,(name 'grow) ((thing ,(name 'thing)) (n integer))
        (setf (,(name 'thing-value) thing) (append (,(name 'twice) n) (,(name 'thing-value) thing))))
      (defun ,(name 'walk) (list &optional (sum 0) &key (step ,(1+ index)))
        (loop for entry in list
              do (setf sum (mod (+ (* sum 31)
                                   (typecase entry
                                     (fixnum (* entry step))
                                     (string (length entry))
                                     (cons (reduce #'+ entry))
                                     (vector (reduce #'max entry))
                                     (t ,index)))
                                1000003)))
        sum)
      (defun ,(name 'run) (n)
        (let ((point (,(name 'make-point) :y n)) (thing (make-instance ',(name 'thing) :value nil)))
          (dotimes (i n)
            (,(name 'grow) thing i)
            (case (mod i 3)
              (0 (push (format nil "~d~a" i ,(format nil "~r" index)) (,(name 'thing-value) thing)))
              (1 (push (vector i n (,(intern (format nil "GET-~dX" index) :compiling) point)) (,(name 'thing-value) thing)))
              (t (push (list i n ,index) (,(name 'thing-value) thing)))))
          (,(name 'walk) (,(name 'thing-value) thing)))))))

(defun write-source (path count)
  (with-open-file (out path :direction :output :if-exists :supersede)
    (with-standard-io-syntax
      (format out "(in-package :compiling)~%")
      (dotimes (index count)
        (let ((*package* (find-package :compiling)))
          (dolist (form (definitions index))
            (print form out)))))))

(defun total (count)
  (loop for index below count
        sum (funcall (intern (format nil "RUN-~d" index) :compiling) (+ 20 (mod index 13)))))

(defun compiled (source object count)
  (handler-bind ((warning #'muffle-warning))
    (let ((*standard-output* (make-broadcast-stream)) (*error-output* (make-broadcast-stream))
          (*compile-verbose* nil) (*compile-print* nil))
      (load (compile-file source :output-file object))))
  (total count))

(defun main (count folder)
  (let ((source (format nil "~a/generated.lisp" folder)) (few (max 2 (floor count 4))))
    (write-source source few)
    (ext:install-c-compiler)
    (format t "compiled through C: ~d definitions, total ~d~%" few
            (compiled source (format nil "~a/generated.fas" folder) few))
    (finish-output)
    (ext:install-bytecodes-compiler)
    (write-source source (* 8 count))
    (format t "compiled to bytecode: ~d definitions, total ~d~%" (* 8 count)
            (compiled source (format nil "~a/generated.fasc" folder) (* 8 count)))
    (finish-output)))
