target triple = "x86_64-pc-linux-gnu"
@format = private constant [4 x i8] c"%d\0A\00"
declare i32 @printf(ptr, ...)
declare void @llvm.lifetime.end.p0(ptr)

define i32 @main(i32 %argc, ptr %argv) {
entry:
  %value = alloca i32
  %other = alloca i16
  store i32 %argc, ptr %value
  br label %loop

loop:
  %i = phi i32 [ 0, %entry ], [ %next, %loop ]
  %v = load i32, ptr %value
  call i32 (ptr, ...) @printf(ptr @format, i32 %v)
  store i32 42, ptr %value
  call void @llvm.lifetime.end.p0(ptr %other)
  %next = add i32 %i, 1
  %more = icmp ult i32 %next, 3
  br i1 %more, label %loop, label %exit

exit:
  ret i32 0
}
