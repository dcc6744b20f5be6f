/* C with LAPACK's dgesdd: pinv_apply and step, in float64.
 *
 *     cc -O2 examples/adapters/c_adapter.c -o c_adapter -llapack -lm
 *     sven-ref verify --cmd ./c_adapter --only "pinv-apply-*" "step-*"
 */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef DGESDD
#define DGESDD dgesdd_
#endif
void DGESDD(const char *jobz, const int *m, const int *n, double *a, const int *lda, double *s, double *u, const int *ldu,
            double *vt, const int *ldvt, double *work, const int *lwork, int *iwork, int *info);

typedef struct {
    int n, rows; /* how many numbers, in how many rows; n = -1: the field is not there, n = 0: null */
    double *x;
} Field;

/* The numbers of a field in the order they are written. strtod knows NaN and Infinity, which stand in quotes. */
static Field field(const char *line, const char *name) {
    char key[40];
    Field f = {-1, 0, NULL};
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *p = strstr(line, key);
    if (!p) return f;
    f.n = 0;
    f.x = malloc((strlen(p) + 1) * sizeof *f.x);
    int depth = 0;
    for (p += strlen(key); *p && *p != '}'; p++) {
        if (*p == '[' && ++depth == 2) f.rows++;
        if (*p == ']' && --depth == 0) break;
        char *end;
        if (strchr("[]\", ", *p)) continue;
        double x = strtod(p, &end);
        if (end == p) break;
        f.x[f.n++] = x;
        if (depth == 0) break;
        p = end - 1;
    }
    return f;
}

static int finite_all(const double *x, int n) {
    for (int i = 0; i < n; i++)
        if (!isfinite(x[i])) return 0;
    return 1;
}

static void print_numbers(const char *name, const double *x, int n) {
    printf("\"%s\": [", name);
    for (int i = 0; i < n; i++) printf("%s%.17g", i ? ", " : "", x[i]);
    printf("]");
}

/* x = sum over i < q of v_i (u_i . R)/s_i; returns q. J is row by row, which LAPACK reads as its transpose. */
static int pinv_apply(const double *J, int M, int P, const double *R, int k, double rtol, double atol, double *x, double *s) {
    int n = M < P ? M : P, info, size = -1, q = 0;
    double *A = malloc(sizeof(double) * M * P), *V = malloc(sizeof(double) * P * n), *Ut = malloc(sizeof(double) * n * M);
    int *iwork = malloc(sizeof(int) * 8 * n);
    double best, *work = &best;
    memcpy(A, J, sizeof(double) * M * P);
    DGESDD("S", &P, &M, A, &P, s, V, &P, Ut, &n, work, &size, iwork, &info);
    size = (int)best;
    work = malloc(sizeof(double) * size);
    DGESDD("S", &P, &M, A, &P, s, V, &P, Ut, &n, work, &size, iwork, &info);
    double zero = 4 * 2.220446049250313e-16 * sqrt(M > P ? M : P) * s[0]; /* nothing, to working precision */
    memset(x, 0, sizeof(double) * P);
    while (info == 0 && q < n && q < k && s[q] > rtol * s[0] && s[q] > atol && s[q] > zero) {
        double y = 0;
        for (int m = 0; m < M; m++) y += Ut[m * n + q] * R[m];
        for (int p = 0; p < P; p++) x[p] += V[q * P + p] * (y / s[q]);
        q++;
    }
    free(A), free(V), free(Ut), free(iwork), free(work);
    return info ? -1 : q;
}

/* Print the answer, or return why there is none. */
static const char *answer(const char *line, const char *id) {
    int step = strstr(line, "\"op\": \"step\"") != NULL;
    Field J = field(line, "J"), R = field(line, "R"), k = field(line, "k"), rtol = field(line, "rtol"), atol = field(line, "atol");
    Field theta = field(line, "theta"), lr = field(line, "lr"), columns = field(line, "columns");
    int M = J.rows, P = M ? J.n / M : 0;
    if (M < 1 || J.n != M * P || R.n != M) return "J and R do not fit together";
    if (!finite_all(J.x, J.n) || !finite_all(R.x, R.n)) return "every number must be finite";
    if (k.n == 1 && !(k.x[0] >= 1 && k.x[0] == floor(k.x[0]))) return "k must be an integer of at least 1, or null";
    if (rtol.n != 1 || !(rtol.x[0] >= 0 && rtol.x[0] < 1)) return "rtol must be at least 0 and below 1";
    if (atol.n != 1 || !(atol.x[0] >= 0)) return "atol must be at least 0";
    if (step && (theta.n != P || lr.n != 1 || !finite_all(theta.x, P) || !finite_all(lr.x, 1))) return "theta, lr";
    int S = columns.n < 0 ? P : columns.n;
    double *part = malloc(sizeof(double) * M * S), *x = malloc(sizeof(double) * S), *s = malloc(sizeof(double) * (M + S));
    for (int j = 0; j < S; j++) {
        int p = columns.n < 0 ? j : (int)columns.x[j];
        if (p < 0 || p >= P) return "columns must be in 0 ... P - 1";
        for (int m = 0; m < M; m++) part[m * S + j] = J.x[m * P + p];
    }
    int q = pinv_apply(part, M, S, R.x, k.n == 1 && k.x[0] < M ? (int)k.x[0] : M, rtol.x[0], atol.x[0], x, s);
    if (q < 0) return "dgesdd did not converge";
    if (step)
        for (int j = 0; j < S; j++) theta.x[columns.n < 0 ? j : (int)columns.x[j]] -= lr.x[0] * x[j];
    if (!finite_all(step ? theta.x : x, step ? P : S)) return "the answer is not finite";
    printf("{\"id\": \"%s\", \"output\": {", id);
    print_numbers(step ? "theta" : "update", step ? theta.x : x, step ? P : S);
    printf(", \"rank\": %d, ", q);
    print_numbers("singular_values", s, q);
    printf("}}\n");
    return NULL; /* a process of a second: what malloc gave goes with it */
}

int main(void) {
    char *line = NULL, id[200];
    size_t size = 0;
    while (getline(&line, &size, stdin) > 0 && !strstr(line, "\"command\": \"stop\"")) {
        if (strstr(line, "\"command\": \"start\""))
            puts("{\"protocol\": 1, \"name\": \"C and LAPACK\", \"version\": \"1\", \"ops\": [\"pinv_apply\", \"step\"], "
                 "\"dtypes\": [\"float64\"]}");
        else if (sscanf(strstr(line, "\"id\": \""), "\"id\": \"%199[^\"]", id) == 1) {
            const char *why = answer(line, id);
            if (why) printf("{\"id\": \"%s\", \"error\": \"%s\"}\n", id, why);
        }
        fflush(stdout);
    }
    free(line);
    return 0;
}
