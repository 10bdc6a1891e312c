"""Small modules and their graphs, counted by hand.

Edges are written "0>1 1>2.3": from node 0 to node 1, and from 1 to 2 at position 3.
"""

# Name: the IR, the labels of its nodes, and its edges by kind. The comments number the nodes.
BY_HAND = {
    "a line": (
        """
        define i32 @f(i32 %a) {   ; 3: %a
          %b = add i32 %a, 1      ; 0, result 4, constant 5
          ret i32 %b              ; 1
        }                         ; 2: outside, 6: i32
        """,
        "add, ret, outside, argument, result, constant int one, type i32",
        ["0>1", "0>4 3>0 5>0.1 4>1", "2>0 1>2", "6>3 6>4 6>5"],
    ),
    "a branch": (
        """
        define i32 @max(i32 %a, i32 %b) {              ; 6, 7
        entry:
          %c = icmp sgt i32 %a, %b                     ; 0, result 8
          br i1 %c, label %yes, label %no              ; 1
        yes:
          br label %no                                 ; 2
        no:
          %m = phi i32 [ %a, %yes ], [ %b, %entry ]    ; 3, result 9
          ret i32 %m                                   ; 4
        }                                              ; 5: outside, 10: i32, 11: i1
        """,
        "icmp sgt, br conditional, br, phi, ret, outside, "
        "argument, argument, result, result, type i32, type i1",
        [
            "0>1 1>2 1>3.1 2>3 3>4",
            "0>8 3>9 6>0 7>0.1 8>1 6>3 7>3.1 9>4",
            "5>0 4>5",
            "10>6 10>7 11>8 10>9",
        ],
    ),
    "calls": (
        """
        declare void @log(i32)                        ; 12
        declare i32 @llvm.smax.i32(i32, i32)
        define internal i32 @down(i32 %n) {           ; 13
        entry:
          %stop = icmp eq i32 %n, 0                   ; 0, result 14, constant 20
          br i1 %stop, label %end, label %more        ; 1
        end:
          ret i32 0                                   ; 2
        more:
          %m = sub i32 %n, 1                          ; 3, result 15, constant 21
          %r = call i32 @down(i32 %m)                 ; 4, result 16
          ret i32 %r                                  ; 5
        }
        define void @main(ptr %callback) {            ; 17
          %d = call i32 @down(i32 7)                  ; 6, result 18, constant 22
          call void @log(i32 %d)                      ; 7
          %x = call i32 @llvm.smax.i32(i32 %d, i32 -1) ; 8, result 19, constant 23
          call void %callback(i32 %x)                 ; 9
          ret void                                    ; 10
        }                                             ; 11: outside, 24: i32, 25: i1, 26: ptr
        """,
        "icmp eq, br conditional, ret, sub, call, ret, call, call, call llvm.smax, call indirect, "
        "ret, outside, external function, argument, result, result, result, argument, result, "
        "result, constant int zero, constant int one, constant int small, constant int minus one, "
        "type i32, type i1, type ptr",
        [
            "0>1 1>2 1>3.1 3>4 4>5 6>7 7>8 8>9 9>10",
            "0>14 3>15 4>16 13>0 20>0.1 14>1 20>2 13>3 21>3.1 15>4 16>5 "
            "6>18 8>19 22>6 18>7 18>8 23>8.1 19>9 17>9.1",
            "4>0 2>4 5>4 11>6 10>11 6>0 2>6 5>6 7>12 12>7",
            "24>13 25>14 24>15 24>16 26>17 24>18 24>19 24>20 24>21 24>22 24>23",
        ],
    ),
    "memory": (
        """
        %pair = type { i32, [2 x i8] }
        @table = constant [4 x i8] c"abc\\00"                             ; 18
        define i8 @pick(i32 %k) {                                         ; 8
        entry:
          %p = alloca %pair                                ; 0, result 9, constant 12: i32 1
          %f = getelementptr %pair, ptr %p, i32 0, i32 1   ; 1, result 10, constants 13, 12
          switch i32 %k, label %out [                      ; 2
            i32 3, label %two                              ; constant 14
            i32 4, label %out                              ; constant 15
          ]
        two:
          store i8 9, ptr %f                               ; 3, constant 16
          br label %out                                    ; 4
        out:
          ; 5, result 11, expression 17 of constants 18 and 19
          %c = load i8, ptr getelementptr (i8, ptr @table, i64 2)
          ret i8 %c                                        ; 6
        }  ; 7: outside, 20: i32, 21: ptr, 22: i8, 23: %pair, 24: [4 x i8], 25: i64, 26: [2 x i8]
        """,
        "alloca, getelementptr, switch, store, br, load, ret, outside, "
        "argument, result, result, result, "
        "constant int one, constant int zero, constant int small, constant int small, "
        "constant int small, constant expression, constant global constant, constant int small, "
        "type i32, type ptr, type i8, type struct, type array, type i64, type array",
        [
            "0>1 1>2 2>5 2>3.1 2>5.2 3>4 4>5 5>6",
            "0>9 1>10 5>11 12>0 9>1 13>1.1 12>1.2 8>2 14>2.1 15>2.2 16>3 10>3.1 17>5 11>6 "
            "18>17 19>17.1",
            "7>0 6>7",
            "20>8 21>9 21>10 22>11 23>0.1 23>1.1 20>12 20>13 20>14 20>15 22>16 21>17 22>17.1 "
            "21>18 24>18.1 25>19 20>23 26>23.1 22>24 22>26",
        ],
    ),
    "an exception": (
        """
        declare void @risky()                                     ; 5
        declare i32 @__gxx_personality_v0(...)
        define void @try() personality ptr @__gxx_personality_v0 {
        entry:
          invoke void @risky() to label %fine unwind label %bad   ; 0
        fine:
          ret void                                                ; 1
        bad:
          %e = landingpad { ptr, i32 } cleanup                    ; 2, result 6
          resume { ptr, i32 } %e                                  ; 3
        }                                                         ; 4: outside, 7 to 9: types
        """,
        "invoke, ret, landingpad, resume, outside, external function, result, "
        "type struct, type ptr, type i32",
        ["0>1 0>2.1 2>3", "2>6 6>3", "4>0 1>4 0>5 5>0", "7>6 8>7 9>7.1"],
    ),
}

# What LLVM has beside the usual: the labels up to the types, control and data edges.
ODD = {
    "nothing": ("\n", "outside", "", ""),
    "declarations alone": (
        "declare i32 @f(i32)\n@g = external global i32\n@h = global ptr @f",
        "outside",
        "",
        "",
    ),
    "indirectbr": (
        """define void @f() {
           entry: indirectbr ptr blockaddress(@f, %b), [label %a, label %b]
           a: ret void
           b: ret void }""",
        "indirectbr, ret, ret, outside, constant block address",
        "0>1 0>2.1",
        "4>0",
    ),
    "callbr": (
        """define void @f(i32 %a) {
           callbr void asm "", "r,!i"(i32 %a) to label %x [label %y]
           x: ret void
           y: ret void }""",
        "callbr, ret, ret, outside, argument",
        "0>1 0>2.1",
        "4>0",
    ),
    "inline assembly": (
        'define void @f() {\ncall void asm sideeffect "pause", ""()\nret void }',
        "call asm, ret, outside",
        "0>1",
        "",
    ),
    "metadata as an operand": (
        """declare i64 @llvm.read_register.i64(metadata)
           define i64 @f() {
           %r = call i64 @llvm.read_register.i64(metadata !0)
           ret i64 %r }
           !0 = !{!"rsp"}""",
        "call other intrinsic, ret, outside, result",
        "0>1",
        "0>3 3>1",
    ),
    "an intrinsic of the target": (
        """declare void @llvm.x86.sse2.pause()
           define void @f() {
           call void @llvm.x86.sse2.pause()
           ret void }""",
        "call target intrinsic, ret, outside",
        "0>1",
        "",
    ),
    "vectors": (
        """define <4 x i32> @f(<2 x i32> %v, <vscale x 4 x i8> %s) {
           %w = shufflevector <2 x i32> %v, <2 x i32> <i32 1, i32 2>, <4 x i32> zeroinitializer
           ret <4 x i32> %w }""",
        "shufflevector, ret, outside, argument, argument, result, constant aggregate",
        "0>1",
        "0>5 3>0 6>0.1 5>1",
    ),
    "an operand bundle": (
        """declare void @g()
           define void @f(i32 %a) {
           call void @g() [ "deopt"(i32 %a, i32 7) ]
           ret void }""",
        "call, ret, outside, external function, argument, constant int small",
        "0>1",
        "4>0 5>0.1",
    ),
    "tokens": (
        """declare void @g()
           declare i32 @__CxxFrameHandler3(...)
           define void @f() personality ptr @__CxxFrameHandler3 {
           invoke void @g() to label %out unwind label %bad
           bad: %t = cleanuppad within none []
           cleanupret from %t unwind to caller
           out: ret void }""",
        "invoke, cleanuppad, cleanupret, ret, outside, external function, result, constant other",
        "0>3 0>1.1 1>2",
        "1>6 7>1 6>2",
    ),
    "a call through an alias": (
        """@g = alias void (), ptr @f
           define void @f() {
           call void @g()
           ret void }""",
        "call indirect, ret, outside, constant alias",
        "0>1",
        "3>0",
    ),
    "a call of another type": (
        """define void @f() {
           call void @f(i32 300)
           ret void }""",
        "call indirect, ret, outside, constant int other, constant function",
        "0>1",
        "3>0 4>0.1",
    ),
    "one block over and over": (
        """define void @f(i1 %c) {
           entry: br label %loop
           loop: br i1 %c, label %loop, label %loop
           dead: unreachable }""",
        "br, br conditional, unreachable, outside, argument",
        "0>1 1>1 1>1.1",
        "4>1",
    ),
}
