package infra

import (
	"context"
	"fmt"
	"slices"

	coordinationv1 "k8s.io/api/coordination/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/nodefv/nodefv/infra/lifecycle"
	"github.com/nodefv/nodefv/workloads"
)

// driverUser is who the driver is to the API server; it has the rights of driverRules and no others.
const driverUser = "fv-driver"

// driverRules are the rights to each kind of objects that each cluster has or that is of use to a target with those features, and to leases, for
// which candidates of scenarios stand.
func driverRules(features []workloads.Feature) (all []rbacv1.PolicyRule) {
	for _, d := range workloads.Kinds() {
		if d.Feature() == "" || slices.Contains(features, d.Feature()) {
			all = append(all, d.Rights()...)
		}
	}
	return append(all, rbacv1.PolicyRule{
		APIGroups: []string{coordinationv1.GroupName}, Resources: []string{"leases"}, Verbs: []string{"get", "create", "update", "delete"},
	})
}

// installDriver binds the driver's rights; the API server may need a moment until it takes roles.
func installDriver(ctx context.Context, admin *rest.Config, features []workloads.Feature) error {
	client, err := kubernetes.NewForConfig(admin)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: driverUser}, Rules: driverRules(features)}
	return BindRole(ctx, client, role)
}

// BindRole makes the role and binds it to the user of the same name. It succeeds if both are there already.
func BindRole(ctx context.Context, client kubernetes.Interface, role *rbacv1.ClusterRole) error {
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: role.Name}},
	}
	return lifecycle.Wait(ctx, "role "+role.Name, readyBound, func(ctx context.Context) error {
		if _, err := client.RbacV1().ClusterRoles().Create(ctx, role, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
		if _, err := client.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
		return nil
	})
}

// features are those of a target that says them.
func features(t Target) []workloads.Feature {
	if f, ok := t.(interface{ Features() []workloads.Feature }); ok {
		return f.Features()
	}
	return nil
}
